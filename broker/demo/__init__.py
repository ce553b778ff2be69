"""The sample city and the main job: its scenarios over real mutual TLS, several departments as processes."""

"""The sample city and the main job: two scenarios over real mutual TLS, several departments as processes."""

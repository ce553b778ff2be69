"""Measurements as ratios beside a peer or a physical limit in the same run: these machines are noisy."""

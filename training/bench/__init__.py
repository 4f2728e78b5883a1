"""What `training.bench_jax` measures, and how."""

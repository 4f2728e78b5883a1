"""What an example is and what a right answer is.

Everything at this level runs without jax and without Django. `training.engine`, which teaches and
examines a model, needs jax and is reached through the command lines only.
"""

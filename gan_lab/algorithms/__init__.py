"""What the players do in an iteration, and all that leans on Lightning's or CUDA's insides."""

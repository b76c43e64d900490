"""What `bench/peers` is made of: begin at `phases.py` for what is done and at `rows.py` for what is told of it."""

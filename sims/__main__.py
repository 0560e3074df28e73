"""`python -m sims` is the command `ember`."""

from sims.cli import main

if __name__ == "__main__":
    main()

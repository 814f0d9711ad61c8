"""`python -m hdrnodes` is `hdrnodes`."""

from hdrnodes.cli import main

if __name__ == "__main__":
    main()

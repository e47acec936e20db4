"""``python -m secateurs.cli``."""

from secateurs.cli.application import main

if __name__ == "__main__":
    main()

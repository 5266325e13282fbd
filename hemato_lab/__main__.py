"""``python -m hemato_lab``: the command line."""

from hemato_lab.cli import main

if __name__ == "__main__":
    main()

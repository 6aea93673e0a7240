"""`python -m uncia`: the front door for programs that know their Python and not where its scripts are."""

from uncia.commands.main import main

if __name__ == "__main__":
    main()

"""`python -m uncia`: the command line, for programs that know the interpreter but not the path of its scripts."""

from uncia.commands.main import main

if __name__ == "__main__":
    main()

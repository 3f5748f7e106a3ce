"""``python -m servery`` is the command ``servery``."""

from servery.cli.main import main

if __name__ == "__main__":
    main()

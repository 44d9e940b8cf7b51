"""`python -m service` is `dispatcher`."""

from service.cli import main

if __name__ == "__main__":
    main()

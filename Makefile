.PHONY: install app test check bench container-check

install:  ## everything, for people who change the code
	pip install -r requirements.txt -r requirements-dev.txt

app:  ## the browser app
	python app.py

test:  ## the tests, as CI runs them
	python -m pytest

check:  ## lint and types
	ruff check .
	mypy

bench:  ## every benchmark, one after the other
	@for name in app encode exact_search fusion lexical measures million; do echo "== $$name"; python -m benchmarks.$$name || exit 1; done

container-check:  ## the Dockerfile carried out without a container engine; root, debootstrap and 12 GB
	python tests/container.py

.PHONY: install app test check bench bench-judging container-check

install:  ## everything, for people who change the code
	pip install -r requirements.txt -r requirements-dev.txt

app:  ## the browser app
	python app.py

test:  ## the tests, as CI runs them
	python -m pytest

check:  ## lint and types
	ruff check .
	mypy

bench:  ## every benchmark that needs nothing beside the sample, one after the other
	@for name in app encode exact_search fusion lexical measures mining mining_weights million train_step judging_speed admission; do \
		echo "== $$name"; python -m benchmarks.$$name || exit 1; done

bench-judging:  ## judging: orders and samples on the sample, then kills, a soak of half an hour, and 20,000 inputs a test
	python -m benchmarks.judging_order
	python -m benchmarks.sampled_judgements
	python -m benchmarks.judgements kill
	python -m benchmarks.judgements soak
	python -m benchmarks.fuzz

container-check:  ## the Dockerfile carried out without a container engine; root, debootstrap and 12 GB
	python tests/container.py

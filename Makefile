.PHONY: install app test check words bench bench-judging container-check

install:  ## everything, for people who change the code
	pip install -r requirements.txt -r requirements-dev.txt

app:  ## the browser app
	python app.py

test:  ## the tests, as CI runs them
	python -m pytest

check:  ## lint and types
	ruff check .
	mypy

words:  ## bring the catalogues of the interface up to date with what pages say (docs/translating.md)
	pybabel -q extract -F assets/words/babel.cfg --no-wrap --sort-by-file --add-location=file --project=mdr --version=1 --msgid-bugs-address= \
		-k N_ -k NN_:1,2 -k many:1,2 -k i18n -o words.pot .
	@for file in assets/words/*.po; do pybabel -q update -i words.pot -o $$file -l $$(basename $$file .po) \
		--no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date; done

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

# Each target is one line of start.py, which makes the environment first when it has to. Windows: py start.py TARGET
# ARGS is passed on:  make lab ARGS="--no-browser --port 9999"    make test ARGS="tests/test_plots.py -k colour"
PYTHON ?= python3
ARGS ?=

help:        ## show this list
	@grep -E '^[a-z-]+: +##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+): +## /  make \1\t/' | expand -t 24

lab:         ## open the course in JupyterLab (the first time: make the environment, some minutes)
	@$(PYTHON) start.py lab $(ARGS)

dashboard:   ## open the dashboard of a finished customer database (the capstone's, or an example)
	@$(PYTHON) start.py dashboard $(ARGS)

test:        ## run all tests
	@$(PYTHON) start.py test $(ARGS)

doctor:      ## check this machine: an OK line or a remedy for each thing
	@$(PYTHON) start.py doctor $(ARGS)

course:      ## pack what a student gets into one zip file (no solutions, no truth)
	@$(PYTHON) start.py kit $(ARGS)

data:        ## make the retailer's data (datasets/ and truth/) from its seed
	@$(PYTHON) start.py generate datasets --truth truth $(ARGS)

verify:      ## check the retailer's data against its dictionary
	@$(PYTHON) start.py verify datasets $(ARGS)

pages:       ## renew the pages about the retailer: its facts beside real ones, its parameters with their sources
	@$(PYTHON) start.py pages $(ARGS)

bench-data:  ## measure how fast the retailer's data is made, against other makers (ARGS=--xl: 10 million persons too)
	@$(PYTHON) start.py bench-data $(ARGS)

bench-scale: ## measure the same questions on pandas, DuckDB and Spark at growing sizes (Java 17)
	@$(PYTHON) start.py bench-scale $(ARGS)

bench-linking: ## measure the record linkage of many customers on DuckDB and on Spark (ARGS="--size L --spark")
	@$(PYTHON) start.py bench-linking $(ARGS)

bench-kernels: ## measure warm and isolated kernels against cold ones
	@$(PYTHON) start.py bench-kernels $(ARGS)

bench-grading: ## measure `cimlab grade` against plain nbgrader on a class of a hundred
	@$(PYTHON) start.py bench-grading $(ARGS)

release:     ## make the student versions of the labs (labs/) from solutions/
	@$(PYTHON) start.py release $(ARGS)

prove:       ## prove that the labs mark right and wrong answers as intended
	@$(PYTHON) start.py prove $(ARGS)

soak:        ## grade a class of 500 while it is killed again and again; its gradebook must equal an uninterrupted run's
	@CIMLAB_SOAK=500 $(PYTHON) start.py test -n0 tests/test_grading_grade.py -k soak -s $(ARGS)

lock:        ## renew requirements.txt from pyproject.toml (needs the network)
	@$(PYTHON) start.py lock $(ARGS)

environment: ## renew environment.yml from pyproject.toml
	@$(PYTHON) start.py environment $(ARGS)

pictures:    ## take the pictures of the course's pages (docs/images/) with Chromium
	@CIMLAB_PICTURES="$(CURDIR)/docs/images" $(PYTHON) start.py test -n0 tests/browser $(ARGS)

.PHONY: help lab dashboard test doctor course data verify pages bench-data bench-scale bench-linking bench-kernels bench-grading release prove soak lock environment pictures

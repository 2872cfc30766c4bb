# Two images: the recommender's, and that of the pipeline steps and the `penchant` command.
#   docker build -f infra/images/python.Dockerfile -t penchant/recommender:0.1.0 --target recommender .
#   docker build -f infra/images/python.Dockerfile -t penchant/training:0.1.0 --target training \
#     --build-arg SOURCE_COMMIT=$(git rev-parse HEAD) .
#   docker build -f infra/images/python.Dockerfile -t penchant/training:0.1.0-gpu --target training-gpu .
#   docker build -f infra/images/python.Dockerfile -t penchant/training:0.1.0-spark --target training-spark .
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS uv
RUN pip install --no-cache-dir uv==0.13.9
ENV VIRTUAL_ENV=/opt/penchant UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
WORKDIR /source
COPY pyproject.toml requirements.lock ./

FROM uv AS wheel
COPY README.md ./
COPY pipelines pipelines
COPY components components
COPY feature_repo feature_repo
COPY serving serving
RUN uv build --wheel --require-hashes --build-constraint requirements.lock --out-dir /wheel

# pyproject.toml lists what is installed; the lock gives each version and its hashes.
FROM uv AS serving-dependencies
RUN uv venv "$VIRTUAL_ENV" \
 && uv pip install --require-hashes --requirement pyproject.toml --constraint requirements.lock \
    --extra serving --extra s3

FROM uv AS training-dependencies
RUN uv venv "$VIRTUAL_ENV" \
 && uv pip install --require-hashes --requirement pyproject.toml --constraint requirements.lock \
    --extra training --extra s3

# TensorFlow's GPU libraries are wheels; the node has only the driver.
FROM training-dependencies AS gpu-dependencies
RUN uv pip install --require-hashes --requirement pyproject.toml --constraint requirements.lock --extra gpu

# PySpark contains Spark, with its Connect server.
FROM training-dependencies AS spark-dependencies
RUN uv pip install --require-hashes --requirement pyproject.toml --constraint requirements.lock --extra spark

# The code is installed last, so that a change of the code does not install the dependencies again.
FROM serving-dependencies AS serving-packages
COPY --from=wheel /wheel /wheel
RUN uv pip install --no-deps /wheel/*.whl

FROM training-dependencies AS training-packages
COPY --from=wheel /wheel /wheel
RUN uv pip install --no-deps /wheel/*.whl \
 && TF_USE_LEGACY_KERAS=1 "$VIRTUAL_ENV"/bin/python -O -m components.bytecode

FROM gpu-dependencies AS gpu-packages
COPY --from=wheel /wheel /wheel
RUN uv pip install --no-deps /wheel/*.whl \
 && TF_USE_LEGACY_KERAS=1 "$VIRTUAL_ENV"/bin/python -O -m components.bytecode

FROM spark-dependencies AS spark-packages
COPY --from=wheel /wheel /wheel
RUN uv pip install --no-deps /wheel/*.whl \
 && TF_USE_LEGACY_KERAS=1 "$VIRTUAL_ENV"/bin/python -O -m components.bytecode

FROM python:${PYTHON} AS runtime
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/penchant penchant
# The secret mounted at /etc/penchant configures the clients of PostgreSQL and S3, in steps and servers.
ENV PATH=/opt/penchant/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PENCHANT_HOME=/var/lib/penchant \
    PGSERVICEFILE=/etc/penchant/pg_service.conf \
    AWS_CONFIG_FILE=/etc/penchant/aws_config
WORKDIR /var/lib/penchant
USER 10001:10001

FROM runtime AS recommender
CMD ["python", "-m", "serving.server"]
COPY --from=serving-packages /opt/penchant /opt/penchant

FROM runtime AS training-runtime
ENV MLFLOW_DISABLE_TELEMETRY=true
CMD ["penchant", "--help"]

FROM training-runtime AS training-gpu
COPY --from=gpu-packages /opt/penchant /opt/penchant
ARG SOURCE_COMMIT=
ENV SOURCE_COMMIT=${SOURCE_COMMIT}

FROM training-runtime AS training-spark
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*
USER 10001:10001
COPY --from=spark-packages /opt/penchant /opt/penchant
ARG SOURCE_COMMIT=
ENV SOURCE_COMMIT=${SOURCE_COMMIT}

FROM training-runtime AS training
COPY --from=training-packages /opt/penchant /opt/penchant
ARG SOURCE_COMMIT=
ENV SOURCE_COMMIT=${SOURCE_COMMIT}

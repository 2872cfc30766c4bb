# The code base's image: every pipeline step and the recommender run in it.
#   docker build -f infra/images/python.Dockerfile -t penchant/python:0.1.0 .
#   docker build -f infra/images/python.Dockerfile -t penchant/python:0.1.0-gpu --target gpu .
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS packages
RUN pip install --no-cache-dir uv==0.13.9
ENV VIRTUAL_ENV=/opt/penchant UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
WORKDIR /source
COPY pyproject.toml requirements.lock infra/images/s3.txt ./
# pyproject.toml says what runs, the lock says in which version: so the development tools stay out.
RUN uv venv "$VIRTUAL_ENV" \
 && uv pip install --requirement pyproject.toml --requirement s3.txt --constraint requirements.lock
COPY README.md ./
COPY pipelines pipelines
COPY components components
COPY feature_repo feature_repo
COPY serving serving
RUN uv pip install --no-deps --build-constraint requirements.lock .

# TensorFlow brings its GPU libraries as wheels (its extra "and-cuda"); the node has only the driver.
FROM packages AS gpu-packages
COPY infra/images/gpu.txt ./
RUN uv pip install --requirement gpu.txt --constraint requirements.lock

FROM python:${PYTHON} AS runtime
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/penchant penchant
# One secret, mounted at /etc/penchant, serves the clients of PostgreSQL and S3 in steps and servers alike.
ENV PATH=/opt/penchant/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PENCHANT_HOME=/var/lib/penchant \
    PGSERVICEFILE=/etc/penchant/pg_service.conf \
    AWS_CONFIG_FILE=/etc/penchant/aws_config \
    MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /var/lib/penchant
USER 10001:10001
CMD ["penchant", "--help"]

FROM runtime AS gpu
COPY --from=gpu-packages /opt/penchant /opt/penchant

# The default target.
FROM runtime AS cpu
COPY --from=packages /opt/penchant /opt/penchant

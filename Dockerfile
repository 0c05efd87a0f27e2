# The app in a container: not root, Java from a wheel, fonts for every script, everything that is kept in /data.
#
#   docker build --tag mdr .
#   docker build --tag mdr --build-arg TORCH_INDEX= .      with CUDA
#   docker run --publish 7860:7860 --volume mdr:/data mdr
#
# docs/operations.md says what to set, and how this file is checked.

ARG PYTHON=3.11.14-slim-bookworm

# What pip installs. Some of it is built, with tools that the app never sees.
FROM python:${PYTHON} AS packages

# Debian keeps one version of a package in a release: pinning it would only make the build fail after each fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
RUN python -m venv /opt/mdr
ENV PATH=/opt/mdr/bin:$PATH
COPY requirements.txt .

# Where PyTorch comes from; empty: from where everything else does, which on Linux is the one with CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN grep '^torch[<>=]' requirements.txt > torch.txt \
    && pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement torch.txt \
    && pip install --no-cache-dir --requirement requirements.txt


FROM python:${PYTHON}

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fontconfig fonts-noto-cjk fonts-noto-core \
    && rm -rf /var/lib/apt/lists/*

# Spaces run containers as this user.
RUN useradd --uid 1000 --create-home mdr \
    && install --directory --owner=mdr --group=mdr /data

COPY --from=packages /opt/mdr /opt/mdr
WORKDIR /app
COPY app.py LICENSE README.md ./
COPY assets assets
COPY data/sample data/sample
COPY mdr mdr

ENV PATH=/opt/mdr/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/data/hub \
    MDR_HOME=/data \
    MDR_HOST=0.0.0.0 \
    MDR_LOGS=json
USER 1000
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/healthz' % os.environ.get('MDR_PORT', '7860'), timeout=4)"]
CMD ["python", "app.py"]

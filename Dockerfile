# Two small images from one file: --target cart (a cart server) and --target lb (the balancer).
# They share all layers but the last, and hold neither pip nor the lab.
ARG PYTHON_IMAGE=python:3.13-slim-trixie
# With cart-chaos-lab/base, which is the stage of that name kept as an image, a build needs no network at all.
ARG BASE=base

FROM ${PYTHON_IMAGE} AS libraries
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
COPY requirements/serve.txt /tmp/
# A company's package index and certificates come as secrets: they are in no layer and in no history.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.pem,target=/run/secrets/ca.pem \
    if [ -s /run/secrets/ca.pem ]; then export PIP_CERT=/run/secrets/ca.pem; fi; \
    /opt/pip/bin/pip --python /opt/venv/bin/python3 --no-cache-dir --disable-pip-version-check install \
        --quiet --no-compile --no-deps --only-binary :all: --require-hashes --requirement /tmp/serve.txt
# The root file system is read-only, so what is not compiled here would be compiled at every start. The
# hashes make the files the same in every build; the libraries' stubs and sources are of no use here.
RUN find /opt/venv -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' | xargs rm -f \
    && python3 -m compileall -q -j0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM ${PYTHON_IMAGE} AS base
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin cartlab \
    && install -d -o cartlab -g cartlab -m 0755 /run/keys
COPY --from=libraries /opt/venv /opt/venv
COPY scripts/ready.py /opt/
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/cart-chaos-lab
USER 10001:10001

FROM ${BASE} AS cart
COPY services services
ENV CART_LISTEN=0.0.0.0:8000
HEALTHCHECK --interval=2s --timeout=5s --retries=5 --start-period=60s CMD ["python3", "-IS", "/opt/ready.py", "CART_LISTEN"]
CMD ["python3", "-m", "services.cart"]

FROM ${BASE} AS lb
COPY lb lb
# A thread for each server's name that takes long to look up; four are too few for a dozen servers.
ENV LB_LISTEN=0.0.0.0:8080 LB_ADMIN=127.0.0.1:9000 UV_THREADPOOL_SIZE=16
HEALTHCHECK --interval=2s --timeout=5s --retries=5 --start-period=60s CMD ["python3", "-IS", "/opt/ready.py", "LB_ADMIN"]
CMD ["python3", "-m", "lb"]

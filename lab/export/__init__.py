"""The lab's balancer in the words of the balancers that people run in production."""

#: target: what its output is, for --help.
TARGETS = {
    "haproxy": "haproxy.cfg, for HAProxy 2.4 or newer",
    "nginx": "nginx.conf, for the free nginx 1.18 or newer",
    "traefik": "a dynamic configuration file for Traefik 3",
    "envoy": "a bootstrap file for Envoy 1.28 or newer",
    "gateway-api": "Gateway, HTTPRoute and Service for Kubernetes",
}

"""A small HTTP/1.1 load balancer: what ties a shopper to a server, made visible.

A program of its own (``python -m lb``). Pure rooms decide; thin shells hold the sockets::

    http1, body        bytes of a head and of a body, strictly read             pure
    pool, health       servers, their states, what a check's result means       pure
    slowstart, outlier a server that came up, and one that fails requests       pure
    balance            which server takes an untied request                     pure
    sticky             which server a request is tied to                        pure
    learned, cookie    where that is kept: in a table here, in a cookie there   pure
    backed             which servers have a copy of a session                   pure
    affinity, hashing  or nowhere: the session's name is hashed                 pure
    keys, places       what is hashed, and where that is at home                pure
    failover, retry    what happens when that server is gone                    pure
    budget, trust      how many retries there may be; which proxy is believed   pure
    roster, discovery  servers behind a DNS name                                pure, shell
    upstream           connections to servers                                   shell
    proxy, exchange    one client's connection; one request across its tries    shell
    answer             one answer on its way to its client                      shell
    trouble            what went wrong, in the words of the RFCs and of HAProxy    pure
    log                one JSON line a request, for those who ask for it           shell
    checks, admin      asking servers how they are; the operator's door         shell
    workers            several processes on one port                            shell
"""

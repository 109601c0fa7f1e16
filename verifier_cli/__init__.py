"""model-verify: are these the bytes that somebody you trust signed?

A map of the package, from the edges inwards; a module imports only what stands below it
(checked by `nox -s lint`):

    cli            the commands, one module each; thin
    initcontainer  the entrypoint in a pod
    host           what a process meets: logs, signals, deadlines, CPUs
    runs           all models of all policies of one run, and their report
    opinions       the reference engine, alone or against ours
    volumes        models that nobody named: discovery below a root
    claims         what a signature says of itself, unverified
    procedure      the numbered steps for one model
    report         the report as JSON, text and termination message
    kube           pure Kubernetes shapes
    signature      bundle, statement, and the three methods
    model          finding, walking, comparing and hashing
    config         policy documents, ModelValidations, trust material
    inputs         bounded reading of files, strict JSON
    expressions    identity expressions, in linear time
    judge, policy, verdict, escape, errors
                   what must hold and what was decided; no I/O, no clock
"""

__version__ = "0.1.0"

"""The same sites in containers: Docker Compose starts them, the Docker SDK breaks, heals and ends them.

Imported only where ``--docker`` is asked for.
"""

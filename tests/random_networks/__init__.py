"""Random small networks in three frameworks: whatever the op tables say, the count reads, and the interpreter answers alike.

    MICRONET_RANDOM=2000 python -m pytest tests/random_networks -q

draws 2,000 of them for each framework, anew each time; without the variable it is the same 100.
"""

"""A framework whose format is the kit's own notation: JSON for the steps, and one file of weights beside it.

It needs no framework, so the contract can be tried on it in a second; its plugin takes a defect, which is planted in the counter, in the
loader, or in both.
"""

"""Whether two readers agree: matching of cells, method-comparison statistics, the regression gate.

For Research Use Only. Not for use in diagnostic procedures.
"""

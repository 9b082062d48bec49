"""From nodes to formulas: TeX, and from TeX Unicode and MathML."""

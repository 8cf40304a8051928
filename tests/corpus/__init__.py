"""Matrix-calculus cells with their answers, and tests that compare what matmagic says with them."""

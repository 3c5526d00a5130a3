"""Strong authentication: challenges, one-time passwords and the budgets that limit guessing.

Words: a *challenge* asks for one one-time password for one purpose; its *subject* is whoever must answer, known only by a
keyed hash; the subject's *budget* counts wrong answers over all challenges. Stands on kit; knows nothing of money.
"""

"""A report to send: what a period of a site was like, as a page, on paper, as a mail.

`gather` asks, `page`, `paper` and `letter` show the same `Report`; `post` and `weekly` send it.
"""

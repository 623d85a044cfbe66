"""Who answers: one `Teacher` protocol, its engines, the reply journal and the accounting."""

module ahead

go 1.26

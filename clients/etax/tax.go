package etax

// Figures are what a person declares for the year 2025 (Reiwa 7): a salary, and what is taken off.
type Figures struct {
	Salary   Yen `json:"salary"`   // gross, at least 1
	Withheld Yen `json:"withheld"` // income tax that the employer kept; not more than Salary
	Social   Yen `json:"social"`   // social insurance premiums; not more than Salary
	Medical  Yen `json:"medical"`  // medical expenses, after what insurance paid
}

// Tax is what follows from figures. All amounts are as the form of the return has them.
type Tax struct {
	Income                         Yen // of the salary, after its own deduction
	Social, Medical, Basic, Relief Yen // deductions, and their sum
	Taxable                        Yen // rounded down to 1,000
	IncomeTax, Reconstruction      Yen
	Total                          Yen
	Pay                            Yen // rounded down to 100
	Refund                         Yen
}

// Compute applies the Income Tax Act as it was for 2025: the salary's deduction (art. 28, with the rounding of its schedule 5), medical
// expenses (art. 73), the basic deduction (art. 86 and the special measures for 2025), the rates (art. 89), and the surtax for
// reconstruction (2.1 %).
func (f Figures) Compute() Tax {
	t := Tax{Income: salaryIncome(f.Salary), Social: f.Social}
	if own := f.Medical - min(100_000, t.Income/20); own > 0 {
		t.Medical = min(own, 2_000_000)
	}
	t.Basic = basicDeduction(t.Income)
	t.Relief = t.Social + t.Medical + t.Basic
	t.Taxable = max(t.Income-t.Relief, 0) / 1000 * 1000
	t.IncomeTax = incomeTax(t.Taxable)
	t.Reconstruction = t.IncomeTax * 21 / 1000
	t.Total = t.IncomeTax + t.Reconstruction
	if due := t.Total - f.Withheld; due > 0 {
		t.Pay = due / 100 * 100
	} else {
		t.Refund = -due
	}
	return t
}

func salaryIncome(gross Yen) Yen {
	step := gross / 4000 * 4000
	switch {
	case gross <= 1_900_000:
		return max(gross-650_000, 0)
	case gross < 3_600_000:
		return step*7/10 - 80_000
	case gross < 6_600_000:
		return step*8/10 - 440_000
	case gross < 8_500_000:
		return gross*9/10 - 1_100_000
	}
	return gross - 1_950_000
}

func basicDeduction(income Yen) Yen {
	for _, row := range []struct{ most, deduction Yen }{
		{1_320_000, 950_000}, {3_360_000, 880_000}, {4_890_000, 680_000}, {6_550_000, 630_000}, {23_500_000, 580_000},
		{24_000_000, 480_000}, {24_500_000, 320_000}, {25_000_000, 160_000},
	} {
		if income <= row.most {
			return row.deduction
		}
	}
	return 0
}

func incomeTax(taxable Yen) Yen {
	for _, row := range []struct{ below, percent, less Yen }{
		{1_950_000, 5, 0}, {3_300_000, 10, 97_500}, {6_950_000, 20, 427_500}, {9_000_000, 23, 636_000},
		{18_000_000, 33, 1_536_000}, {40_000_000, 40, 2_796_000},
	} {
		if taxable < row.below {
			return taxable*row.percent/100 - row.less
		}
	}
	return taxable*45/100 - 4_796_000
}

"""Text that Brian2 refuses: one small cell, and one synapse onto it, with a fault in one place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CASES", "CELL", "Case"]

CELL = _V = "dv/dt = -v/tau : volt"


@dataclass(frozen=True)
class Case:
    """A cell `v` and a synapse of weight `w`, both in volt; parameters `tau`, `V_th`, `k`, `g`."""

    name: str
    equations: str = _V
    threshold: str = "v > V_th"
    reset: str = "v = 0*mV"
    refractory: str = ""
    method: str = "euler"
    edges: str = ""
    on_pre: str = ""
    on_post: str = ""

    @property
    def has_edges(self) -> bool:
        """Whether there is a synapse."""
        return bool(self.edges or self.on_pre or self.on_post)


def _cells(**faults: str) -> list[Case]:
    return [Case(name.replace("_", " "), equations=text) for name, text in faults.items()]


def _named(names: str) -> list[Case]:
    return [
        Case(f"a variable called {name}", f"{_V}\nd{name}/dt = -{name}/tau : 1")
        for name in names.split()
    ]


_NAMES = [
    *_named(
        "t dt i N xi xi_1 pi e inf not_refractory exp rand clip int if lambda None True "
        "and volt mV second Hz siemens v_pre v_post _x"
    ),
    *_cells(
        two_lines_of_one_name=f"{_V}\nx = 1 : 1\nx = 2 : 1",
        a_state_and_a_subexpression=f"{_V}\nv = 2*mV : volt",
        a_name_that_begins_with_a_digit=f"{_V}\n2x = 1 : 1",
        a_name_with_a_dot=f"{_V}\nx.y = 1 : 1",
        an_unknown_name="dv/dt = (unknown - v)/tau : volt",
        an_unknown_function="dv/dt = (heaviside(v/mV)*mV - v)/tau : volt",
        a_function_read_as_a_variable="dv/dt = (exp*mV - v)/tau : volt",
        a_variable_called_as_a_function="dv/dt = -v(t)/tau : volt",
    ),
]

_FORM = [
    *_cells(
        no_unit="dv/dt = -v/tau",
        an_empty_right_side="dv/dt =  : volt",
        an_open_bracket="dv/dt = -(v/tau : volt",
        an_unknown_flag="dv/dt = -v/tau : volt (slowly)",
        a_constant_state="dv/dt = -v/tau : volt (constant)",
        a_shared_state="dv/dt = -v/tau : volt (shared)",
        an_event_driven_state_of_a_cell="dv/dt = -v/tau : volt (event-driven)",
        a_summed_line_of_a_cell=f"{_V}\nx = v : volt (summed)",
        an_unless_refractory_subexpression=f"{_V}\nx = v : volt (unless refractory)",
        a_constant_subexpression=f"{_V}\nx = v : volt (constant)",
        a_shared_subexpression_of_a_state=f"{_V}\nx = v : volt (shared)",
        a_scaled_unit="dv/dt = -v/tau : 2*volt",
        a_unit_that_is_scaled_after="dv/dt = -v/tau : volt*2",
        a_sum_of_units="dv/dt = -v/tau : volt+volt",
        a_root_of_a_unit="dv/dt = -v/tau : sqrt(volt**2)",
        a_unit_with_a_prefix="dv/dt = -v/tau : mV",
        an_unknown_unit="dv/dt = -v/tau : volts",
        a_number_as_unit="dv/dt = -v/tau : 2",
        a_state_of_type_bool=f"{_V}\ndx/dt = -x/tau : bool",
        a_state_of_type_boolean=f"{_V}\ndx/dt = -x/tau : boolean",
        a_state_of_type_integer=f"{_V}\ndx/dt = -x/tau : integer",
        a_string="dv/dt = 'v' : volt",
        an_index="dv/dt = v[0]/tau : volt",
        an_attribute="dv/dt = v.real/tau : volt",
        a_lambda="dv/dt = (lambda: v)()/tau : volt",
        a_choice="dv/dt = (v if v > V_th else 0*mV)/tau : volt",
        a_bit_or="dv/dt = (v | 2)/tau : volt",
        a_bit_and="dx/dt = ((x > 1) & (x < 2))*x/tau : 1\n" + _V,
        a_chained_comparison="dx/dt = int(0 < x < 1)/tau : 1\n" + _V,
        a_list="dv/dt = [v]/tau : volt",
        a_keyword_argument="dv/dt = clip(v, 0*mV, a_max=1*mV)/tau : volt",
        too_few_arguments="dv/dt = clip(v, 0*mV)/tau : volt",
        too_many_arguments="dx/dt = exp(x, x)/tau : 1\n" + _V,
        second_derivative="d2v/dt2 = -v/tau : volt",
    ),
]

_DIMENSIONS = [
    *_cells(
        an_equation_without_the_time="dv/dt = -v : volt",
        an_equation_of_another_quantity="dv/dt = -V_th*g/tau : volt",
        a_sum_of_two_quantities="dv/dt = (tau - v)/tau : volt",
        a_sum_with_a_number="dv/dt = (1 - v)/tau : volt",
        a_subexpression_of_another_quantity=f"{_V}\nx = v*2 : 1",
        an_exponential_of_a_voltage="dv/dt = mV*exp(v)/tau : volt",
        a_sine_of_a_time="dv/dt = mV*sin(t)/tau : volt",
        a_logarithm_of_a_voltage="dv/dt = mV*log(v)/tau : volt",
        a_tanh_of_a_conductance="dv/dt = mV*tanh(g)/tau : volt",
        an_exprel_of_a_voltage="dv/dt = mV*exprel(v)/tau : volt",
        a_whole_number_of_a_voltage="dv/dt = mV*int(v)/tau : volt",
        a_power_with_a_unit="dv/dt = mV*2**v/tau : volt",
        a_voltage_to_a_variable_power="dv/dt = (v**k - v)/tau : volt",
        a_voltage_to_a_state="dx/dt = (v/mV)**v/tau : 1\n" + _V,
        a_remainder_of_two_quantities="dv/dt = (v % tau)/tau : volt",
        a_remainder_by_a_number="dv/dt = (v % 2)/tau : volt",
        a_floor_division_of_voltages="dx/dt = (v // V_th)/tau : 1\n" + _V,
        a_comparison_of_two_quantities="dx/dt = int(v > tau)/tau : 1\n" + _V,
        a_comparison_with_a_number="dx/dt = int(v > 1)/tau : 1\n" + _V,
        a_clip_of_two_quantities="dv/dt = (clip(v, 0, 1) - v)/tau : volt",
        a_noise_of_another_quantity="dv/dt = -v/tau + mV*xi : volt",
        a_noise_without_its_root="dv/dt = -v/tau + mV*xi/tau : volt",
        a_comparison_between_words="dx/dt = int(v > 0*mV and t > 1)/tau : 1\n" + _V,
    ),
    Case("a threshold of two quantities", threshold="v > tau"),
    Case("a threshold against a number", threshold="v > 1"),
    Case("a threshold against one in a pair", threshold="v > V_th and k > V_th"),
    Case("a reset to a number", reset="v = 0"),
    Case("a reset to another quantity", reset="v = tau"),
    Case("a reset that adds a number", reset="v += 1"),
    Case("a reset that multiplies by a voltage", reset="v *= V_th"),
    Case("a reset that divides by a time", reset="v /= tau"),
    Case("a refractory voltage", refractory="V_th"),
    Case("a refractory comparison of two quantities", refractory="v > tau"),
    Case("a jump by a number", on_pre="v += 1"),
    Case("a jump by another quantity", on_pre="v_post += w*tau"),
    Case("an edge variable of another quantity", edges="x : 1", on_pre="x += w"),
    Case("an edge equation without the time", edges="dx/dt = -x : 1 (clock-driven)"),
    Case("an edge equation of another quantity", edges="dx/dt = -w/tau : 1 (clock-driven)"),
    Case("on_post of another quantity", on_post="w += 1"),
]

_TRUTH = [
    Case("a threshold that is a voltage", threshold="v"),
    Case("a threshold that is a number", threshold="k"),
    Case("a threshold of a difference", threshold="v - V_th"),
    Case("a threshold that is 1", threshold="1"),
    Case("a threshold that joins a comparison and a number", threshold="v > V_th and k"),
    Case("a threshold that joins a number and a comparison", threshold="k or v > V_th"),
    Case("a threshold that is an assignment", threshold="v = V_th"),
    Case("a threshold of two statements", threshold="v > V_th; v > 0*mV"),
    Case("a threshold that is a subexpression", f"{_V}\nhigh = v/mV : 1", threshold="high"),
    Case("an empty comparison", threshold="v >"),
    Case("a refractory number", refractory="k"),
    Case("a refractory number in the text", refractory="2"),
    Case("a refractory pair with a number", refractory="v > V_th and k"),
    Case("a pair of numbers in an equation", "dx/dt = int(k and x)/tau : 1\n" + _V),
    Case("a threshold that is a whole number", threshold="int(v > V_th)"),
    Case("a threshold that is a size", threshold="abs(v > V_th)"),
    Case("a threshold that joins a whole number", threshold="int(v > V_th) and v > V_th"),
    Case("a comparison times a state", "dx/dt = (v > V_th)*x/tau : 1\n" + _V),
    Case("a comparison and a state", "dx/dt = ((v > V_th) + x)/tau : 1\n" + _V),
    Case("minus a comparison", "dx/dt = (-(v > V_th) - x)/tau : 1\n" + _V),
    Case("a comparison squared", "dx/dt = (v > V_th)**2/tau : 1\n" + _V),
    Case("an exponential of a comparison", "dx/dt = exp(v > V_th)/tau : 1\n" + _V),
    Case("a comparison of comparisons", "dx/dt = int((v > V_th) > x)/tau : 1\n" + _V),
    Case("true and a state", "dx/dt = (True + x)/tau : 1\n" + _V),
    Case("a reset that adds a comparison", "dx/dt = -x/tau : 1\n" + _V, reset="x += v > V_th"),
    Case("a pair with a voltage in an equation", "dx/dt = int(v and x > 1)/tau : 1\n" + _V),
]

_STATEMENTS = [
    Case("a reset that adds to an unknown name", reset="unknown += 1"),
    Case("a reset of a subexpression", f"{_V}\nx = 2*v : volt", reset="x = 0*mV"),
    Case("a reset that adds to a subexpression", f"{_V}\nx = 2*v : volt", reset="x += 1*mV"),
    Case("a reset of a parameter", reset="V_th += 1*mV"),
    Case("a reset of t", reset="t = 0*ms"),
    Case("a reset of dt", reset="dt = 1*ms"),
    Case("a reset of N", reset="N = 2"),
    Case("a reset with white noise", reset="v = mV*xi"),
    Case("a reset of a unit", reset="mV = 2*mV"),
    Case("a reset that is an expression", reset="v > 0*mV"),
    Case("a reset that is a call", reset="clip(v, 0*mV, 1*mV)"),
    Case("a reset with a condition", reset="if v > 0*mV: v = 0*mV"),
    Case("a reset of two at once", reset="v, x = 0*mV, 1"),
    Case("a reset of an element", reset="v[0] = 0*mV"),
    Case("a reset by a power", reset="v **= 2"),
    Case("a subexpression in a circle", f"{_V}\na = b : 1\nb = a : 1"),
    Case("a subexpression that reads itself", f"{_V}\na = a + 1 : 1"),
    Case("white noise in a subexpression", f"{_V}\nx = xi*tau**.5 : 1"),
    Case("white noise in a threshold", threshold="v > V_th + mV*xi"),
    Case(
        "one white noise in two equations",
        "dv/dt = -v/tau + mV*xi/tau**.5 : volt\ndu/dt = -u/tau + mV*xi/tau**.5 : volt",
    ),
    Case("a random number in a subexpression", f"{_V}\nx = rand() : 1\ny = x + v/mV : 1"),
    Case(
        "a random number in a subexpression of a state",
        "dx/dt = (y - x)/tau : 1\ny = randn() : 1\n" + _V,
    ),
    Case("two random numbers in an equation", "dx/dt = (rand() - rand())/tau : 1\n" + _V),
]

_METHODS = [
    Case("an unknown method", method="leapfrog"),
    Case("exact for a square", "dv/dt = -v*v/mV/tau : volt", method="exact"),
    Case("exact for an exponential", "dv/dt = (mV*exp(v/mV) - v)/tau : volt", method="exact"),
    Case("exact for the time", "dv/dt = (mV*sin(t/tau) - v)/tau : volt", method="exact"),
    Case("exact for the time alone", "dv/dt = (mV*t/tau - v)/tau : volt", method="exact"),
    Case("exact for a comparison", "dv/dt = (mV*int(v > 0*mV) - v)/tau : volt", method="exact"),
    Case(
        "exact for a product of states",
        "dv/dt = -v*x/tau : volt\ndx/dt = -x/tau : 1",
        method="exact",
    ),
    Case("exact for noise", "dv/dt = -v/tau + mV*xi/tau**.5 : volt", method="exact"),
    Case("exact for a random number", "dv/dt = (mV*rand() - v)/tau : volt", method="exact"),
    Case(
        "exponential Euler for a square", "dv/dt = -v*v/mV/tau : volt", method="exponential_euler"
    ),
    Case(
        "exponential Euler for an absolute value",
        "dv/dt = (abs(v)*2 - abs(v))/tau : volt",
        method="exponential_euler",
    ),
    Case(
        "exponential Euler for noise",
        "dv/dt = -v/tau + mV*xi/tau**.5 : volt",
        method="exponential_euler",
    ),
    Case("rk4 for noise", "dv/dt = -v/tau + mV*xi/tau**.5 : volt", method="rk4"),
    Case("rk2 for noise", "dv/dt = -v/tau + mV*xi/tau**.5 : volt", method="rk2"),
    Case(
        "Euler for noise that is multiplied by the state",
        "dv/dt = -v/tau + v*xi/tau**.5 : volt",
        method="euler",
    ),
    Case(
        "Euler for noise that changes in time",
        "dv/dt = -v/tau + mV*sin(t/tau)*xi/tau**.5 : volt",
        method="euler",
    ),
    Case(
        "Milstein for two noises in one equation",
        "dv/dt = -v/tau + v*xi_1/tau**.5 + v*xi_2/tau**.5 : volt",
        method="milstein",
    ),
    Case("the square of a noise", "dv/dt = -v/tau + mV*xi**2 : volt", method="euler"),
    Case("the sine of a noise", "dv/dt = -v/tau + mV*sin(xi*tau**.5)/tau : volt", method="euler"),
]

_EDGES = [
    Case("white noise in on_pre", on_pre="v_post += mV*xi"),
    Case("an unknown name in on_pre", on_pre="v_post += unknown*mV"),
    Case("an unknown target variable in on_pre", on_pre="v_post += u_post"),
    Case("an unknown source variable in on_pre", on_pre="v_post += u_pre"),
    Case("on_pre that writes a parameter", on_pre="tau += 1*ms"),
    Case("on_pre that writes t", on_pre="t = 0*ms"),
    Case("on_pre that writes an edge's subexpression", edges="x = 2*w : volt", on_pre="x += w"),
    Case(
        "on_pre that writes the target's subexpression",
        f"{_V}\nx = 2*v : volt",
        on_pre="x_post += w",
    ),
    Case("on_pre that compares", on_pre="v_post > w"),
    Case("on_pre that is no statement", on_pre="w"),
    Case("on_post with an unknown name", on_post="w = unknown"),
    Case("an edge's name twice", edges="x : 1\nx : 1"),
    *(
        Case(f"an edge variable called {name}", edges=f"{name} : 1")
        for name in (
            "i",
            "j",
            "delay",
            "t",
            "dt",
            "N",
            "xi",
            "exp",
            "pi",
            "volt",
            "x_pre",
            "x_post",
            "w",
        )
    ),
    Case("a flag of cells on an edge", edges="dx/dt = -x/tau : 1 (unless refractory)"),
    Case("event-driven and clock-driven", edges="dx/dt = -x/tau : 1 (event-driven, clock-driven)"),
    Case("an event-driven subexpression", edges="x = 2*w : volt (event-driven)"),
    Case("an event-driven parameter", edges="x : 1 (event-driven)"),
    Case("a summed state", edges="dx/dt = -x/tau : 1 (summed)"),
    Case("a summed parameter", edges="x : 1 (summed)"),
    Case("a sum into no variable of the target", edges="u_post = 2*w : volt (summed)"),
    Case("a sum into the synapse", edges="x = 2*w : volt (summed)"),
    Case("a sum into a state", f"{_V}\n", edges="v_post = 2*w : volt (summed)"),
    Case(
        "event-driven that reads what is clock-driven",
        edges="dy/dt = -y/tau : 1 (clock-driven)\ndx/dt = (y - x)/tau : 1 (event-driven)",
    ),
    Case(
        "clock-driven that reads what is event-driven",
        edges="dy/dt = -y/tau : 1 (event-driven)\ndx/dt = (y - x)/tau : 1 (clock-driven)",
    ),
    Case("a random number in an edge's subexpression", edges="x = rand() : 1", on_pre="w *= x"),
    Case("a power of the target's state", on_pre="v_post **= 2"),
    Case("edges in a circle", edges="a = b : 1\nb = a : 1", on_pre="w *= a"),
]

CASES = (*_NAMES, *_FORM, *_DIMENSIONS, *_TRUTH, *_STATEMENTS, *_METHODS, *_EDGES)

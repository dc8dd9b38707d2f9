"""The heat of a wound roll in (r, z): one implicit step, and the conductances it works with.

Rows are the winding core (0) and the layers outwards, columns the edge at zone 1, the middle and the edge at zone 3. A step solves first
along z, then along r (locally one-dimensional, backward Euler, Yanenko 1971): stable for every step, of first order in time, and each flow
is subtracted where it is added, so that no heat is lost.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt

from sim.plant.jit import compiled

Array = npt.NDArray[np.float64]
_SIGMA = 5.670374e-8  # W/m2K4
(_EPS, _H_REST, _H_NATURAL, _H_FAN, _AMBIENT, _K_GAS, _HALF, _EDGE, _MANDREL) = range(9)


@compiled("void(float64, float64[:, ::1], float64[:, ::1], float64[::1], float64, float64, float64, float64, float64[::1], "
          "float64[:, ::1], float64[::1], float64[::1])")  # fmt: skip
def conduct(surface_c: float, radial_m: Array, contact_w_k: Array, ends_m2: Array, side_m2: float, wall_c: float, pressure_mbar: float,
            fan: float, law: Array, radial_w_k: Array, ends_w_k: Array, skin_w_k: Array) -> None:  # fmt: skip
    """Fill the conductances in W/K for this pressure and temperature.

    ``radial_m``: shape factors between rows and, last, from the outermost row to the outer face, [row, column]; ``contact_w_k``: what
    conducts in a vacuum too, the same; ``ends_m2``: end face of each row; ``side_m2``: outer face, whose exchange with the wall goes to
    ``skin_w_k``. Gas between the turns conducts with p/(p + p_half).
    """
    rows = radial_m.shape[0]
    wall_k, roll_k = wall_c + 273.15, surface_c + 273.15
    x = pressure_mbar / law[_AMBIENT]
    h = law[_EPS] * _SIGMA * (wall_k * wall_k + roll_k * roll_k) * (wall_k + roll_k)
    h += law[_H_REST] * pressure_mbar / (pressure_mbar + 0.1) + law[_H_NATURAL] * sqrt(x) + law[_H_FAN] * fan * x
    gas = law[_K_GAS] * pressure_mbar / (pressure_mbar + law[_HALF])
    for i in range(rows):
        for z in range(3):
            radial_w_k[i, z] = radial_m[i, z] * gas + contact_w_k[i, z]
    ends_w_k[0] = 0.5 * law[_MANDREL]
    for i in range(1, rows):
        ends_w_k[i] = h * ends_m2[i]
    skin_w_k[0] = skin_w_k[2] = h * side_m2 * law[_EDGE]
    skin_w_k[1] = h * side_m2 * (1.0 - 2.0 * law[_EDGE])


@compiled("void(float64[:, ::1], float64[::1], float64[:, ::1], float64[:, ::1], float64[::1], float64[::1], float64[::1], float64[::1], "
          "float64[::1], float64, float64[::1])")  # fmt: skip
def step(temps_c: Array, surface_c: Array, capacity_j_k: Array, radial_w_k: Array, axial_w_k: Array, ends_w_k: Array, skin_w_k: Array,
         latent_w: Array, walls_c: Array, dt_s: float, walls_w: Array) -> None:  # fmt: skip
    """Advance ``temps_c`` ([row, column]) by ``dt_s``; ``walls_w`` is then the mean heat flow from the roll to each wall, W.

    ``surface_c`` becomes the temperature of the outer face, [column], which holds no heat.

    ``latent_w`` is what evaporation takes, row after row from the first layer on.
    """
    rows = temps_c.shape[0]
    wall_1_c, wall_2_c, wall_3_c = walls_c[0], walls_c[1], walls_c[2]
    to_1 = to_2 = to_3 = 0.0
    for i in range(rows):
        k, end = axial_w_k[i] * dt_s, ends_w_k[i] * dt_s
        c0, c1, c2 = capacity_j_k[i, 0], capacity_j_k[i, 1], capacity_j_k[i, 2]
        d0, d1, d2 = c0 + k + end, c1 + 2.0 * k, c2 + k + end
        b0, b1, b2 = c0 * temps_c[i, 0] + end * wall_1_c, c1 * temps_c[i, 1], c2 * temps_c[i, 2] + end * wall_3_c
        d1 -= k * k / d0
        b1 += k * b0 / d0
        t2 = (b2 + k * b1 / d1) / (d2 - k * k / d1)
        t1 = (b1 + k * t2) / d1
        t0 = (b0 + k * t1) / d0
        to_1 += ends_w_k[i] * (t0 - wall_1_c)
        to_3 += ends_w_k[i] * (t2 - wall_3_c)
        temps_c[i, 0], temps_c[i, 1], temps_c[i, 2] = t0, t1, t2
    pivots, knowns = np.empty(rows), np.empty(rows)
    last = rows - 1
    for z in range(3):
        wall_c = wall_1_c if z == 0 else (wall_2_c if z == 1 else wall_3_c)
        side_w_k = skin_w_k[z] * radial_w_k[last, z] / (skin_w_k[z] + radial_w_k[last, z])
        for i in range(rows):
            pivot, known = capacity_j_k[i, z], capacity_j_k[i, z] * temps_c[i, z]
            if i > 0:
                known -= dt_s * latent_w[3 * (i - 1) + z]
                k = radial_w_k[i - 1, z] * dt_s
                pivot += k - k * k / pivots[i - 1]
                known += k * knowns[i - 1] / pivots[i - 1]
            if i < last:
                pivot += radial_w_k[i, z] * dt_s
            else:
                pivot += side_w_k * dt_s
                known += side_w_k * dt_s * wall_c
            pivots[i], knowns[i] = pivot, known
        temps_c[last, z] = knowns[last] / pivots[last]
        for i in range(last - 1, -1, -1):
            temps_c[i, z] = (knowns[i] + radial_w_k[i, z] * dt_s * temps_c[i + 1, z]) / pivots[i]
        flow = side_w_k * (temps_c[last, z] - wall_c)
        surface_c[z] = wall_c + flow / skin_w_k[z]
        if z == 0:
            to_1 += flow
        elif z == 1:
            to_2 += flow
        else:
            to_3 += flow
    walls_w[0], walls_w[1], walls_w[2] = to_1, to_2, to_3

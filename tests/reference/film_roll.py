"""Film and roll of one member in plain numpy, written a second time from the equations: what the compiled model is held against.

Shares the parameters' values and the grid's places with the model, and no equation. State: u of the free solvent (cells, positions),
conversion, temperature of the rings (means of their width) and the core's tube, u of the bound solvent.
"""

from itertools import pairwise

import numpy as np
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.sparse import lil_matrix

from controller.estimator.parameters import value

R = 8.314462618
DEPTHS = {"core": 0.35, "middle": 0.35, "upper": 0.25, "outer": 0.05}  # shares of the winding's thickness; other names lie even
EDGE = 0.2  # of the outermost ring's film is the edge zone


class Roll:
    """The right-hand side dy/dt for a load; ``knots`` rows are time s, wall K, pressure Pa, vapour Pa.

    ``positions`` names the rings and, last, the edge zone, or counts them: then the rings are equally thick.
    """

    def __init__(self, load, solvent, cure_rate_s, positions, places, knots):
        names = range(positions) if isinstance(positions, int) else positions
        self.depths = [DEPTHS.get(name, 1.0) for name in names][:-1]
        self.p, self.n, self.knots, self.solvent = len(names), len(places), knots, solvent
        self.x = places
        edges = np.r_[0.0, (places[1:] + places[:-1]) / 2, 1.0]
        self.v = (edges[1:] - edges[:-1])[:, None]
        self.length_m, self.gap_m = load.film_um * 1e-6, load.gap_um * 1e-6
        self.cure_rate_s, self.mass_m2 = cure_rate_s, value("polymer_density") * 1000 * self.length_m
        self.half_width_m = np.full(self.p, load.width_m / 2)
        self.half_width_m[-1] *= np.sqrt(value("edge_path_factor"))
        self._roll(load)

    def _roll(self, load):
        foil_m, core_m = load.foil_um * 1e-6, load.core_mm * 5e-4
        turn_m = self.length_m + foil_m + self.gap_m
        rim_m = np.sqrt(core_m**2 + load.length_m * turn_m / np.pi)
        thick = np.array(self.depths) * (rim_m - core_m) / np.sum(self.depths)
        faces_m = core_m + np.r_[0.0, np.cumsum(thick)]
        mid = (faces_m[1:] + faces_m[:-1]) / 2
        end = 2 * np.pi * mid * thick  # one end face of each ring
        film_m2 = end / turn_m * load.width_m  # turns times their length
        self.share = np.r_[film_m2[:-1], (1 - EDGE) * film_m2[-1], EDGE * film_m2[-1]] / (load.length_m * load.width_m)
        self.polymer_kg = self.mass_m2 * load.length_m * load.width_m
        heat_m2 = foil_m * value("copper_density") * value("copper_heat") + self.mass_m2 * value("polymer_heat")
        rings = np.r_[self.share[:-2], self.share[-2] + self.share[-1]]
        tube_m2 = 2 * np.pi * core_m * load.width_m
        # nodes of the heat: the rings, the edge zone with its ring, and the core's tube
        self.c = np.r_[rings * heat_m2 * load.length_m * load.width_m, tube_m2 * value("core_heat_per_area")]
        around = 2 * np.pi * load.width_m
        self.geometry, self.last = self._between(faces_m, heat_m2 / turn_m * load.width_m, around)
        self.inwards = self._inwards(faces_m[0], faces_m[1], load.width_m)
        self.skin_m2 = around * rim_m
        # a fin that warms at one rate: its end leads its mean by q a / 3 k, a being half of the width, its middle lags it by q a / 6 k
        self.fin = (load.width_m / 2) / 3 / (value("copper_conductivity") * foil_m / turn_m)
        self.faces_m2 = 2 * end
        self.bore_w_k = value("external_h") * value("bore_view") * 2 * np.pi * core_m**2  # the core's two openings
        self.tube_k_w = load.width_m / 2 / 3 / (2 * np.pi * core_m * value("core_conductance"))
        self.k_scale = turn_m / self.gap_m / 1.38
        self.half_pa = value("k_half_pressure") * 100 / load.gap_um

    def _between(self, faces_m, heat_m3, around):
        """Conductances per conductivity between the rings' mean temperatures, and to the surface, while all warms at 1 K/s; by quadrature.

        ``heat_m3`` is the winding's heat per volume times its width.
        """

        def flow_w(r):
            return heat_m3 * np.pi * (r**2 - faces_m[0] ** 2)

        def above_core_k(r):
            return quad(lambda s: flow_w(s) / (around * s), faces_m[0], r, epsrel=1e-12)[0]

        means = [quad(lambda r: heat_m3 * 2 * np.pi * r * above_core_k(r), *pair, epsrel=1e-11)[0] for pair in pairwise(faces_m)]
        means = np.array(means) / np.diff(flow_w(faces_m))
        steps = np.r_[np.diff(means), above_core_k(faces_m[-1]) - means[-1]]
        found = flow_w(faces_m[1:]) / steps
        return found[:-1], found[-1]

    def _inwards(self, bore, rim, width):
        """Conductance per conductivity from the tube to the first ring's mean while 1 W from the tube warms that ring evenly."""

        def colder_k(r):
            return quad(lambda s: (rim**2 - s**2) / (rim**2 - bore**2) / (2 * np.pi * s * width), bore, r, epsrel=1e-12)[0]

        return (rim**2 - bore**2) / quad(lambda r: 2 * r * colder_k(r), bore, rim, epsrel=1e-11)[0]

    def drive(self, t):
        return [np.interp(t, self.knots[:, 0], self.knots[:, i]) for i in (1, 2, 3)]

    def split(self, y):
        nodes = self.n * self.p
        return y[:nodes].reshape(self.n, self.p), *y[nodes:].reshape(3, self.p)

    def mean(self, y):
        """u of all solvent, free and bound, over the film."""
        u, _, _, bound = self.split(y)
        return (self.v * u).sum(axis=0) + bound

    def surface(self, u, temp, pressure, vapour):
        """Rate at which the mean u falls, 1/s, per position."""
        s = self.solvent
        psat = np.exp(s.antoine_a - s.antoine_b_k / (temp + s.antoine_c_k))
        ratio = (s.density_25c_g_cm3 - s.density_slope_g_cm3_k * 125) / value("polymer_density")
        phi1 = u / (u + ratio)
        phi2 = 1 - phi1
        film = psat * phi1 * np.exp(phi2 + value("chi") * phi2**2)
        molar = s.molar_mass_g_mol / 1e3
        knudsen = self.gap_m / 3 * np.sqrt(8 * R * temp / (np.pi * molar))
        molecular = value("vapour_diffusion") * (temp / 473.15) ** 1.75 * 101325 / max(pressure - vapour, 1.0)
        viscous = np.where(film > pressure, self.gap_m**2 / (24 * value("vapour_viscosity")) * (film**2 - pressure**2), 0.0)
        # plug flow at v through the gap over the width 2a carries g v p / 2a R T off each square metre
        blown = self.gap_m**2 * value("circulation_push") * pressure / 101325 / (12 * value("gas_viscosity")) / 8
        per_length = viscous + (film - vapour) * (1 / (1 / knudsen + 1 / molecular) + blown)
        return 2 * self.gap_m / self.half_width_m**2 * per_length / (R * temp) * molar / self.mass_m2

    def films(self, heat, wall, pressure):
        """How warm the films are: in the middle of each ring's width, and at the end of the outermost ring."""
        leads = self.fin / (1 / self.transfer(wall, pressure) + self.fin) * (wall - heat[:-1])
        return np.r_[heat[:-1] - leads / 2, heat[-2] + leads[-1]]

    def wall_heat(self, heat, wall, pressure):
        """Heat from the wall into each node, W."""
        h = self.transfer(wall, pressure)
        into = np.r_[self.faces_m2 / (1 / h + self.fin), self.bore_w_k]
        into[-2] += 1 / (1 / (h * self.skin_m2) + 1 / (self.conductivity(pressure) * self.last))
        return into * (wall - heat)

    def transfer(self, wall, pressure):
        """Heat transfer from the wall, W/m2.K."""
        gas = pressure / (pressure + value("convection_half_pressure"))
        return value("external_h") * (value("radiation_share") * (wall / 473.15) ** 3 + (1 - value("radiation_share")) * gas)

    def conductivity(self, pressure):
        low, gas = value("k_vacuum"), value("k_nitrogen") - value("k_vacuum")
        return self.k_scale * (low + gas * pressure / (pressure + self.half_pa))

    def __call__(self, t, y):
        wall, pressure, vapour = self.drive(t)
        u, x, heat, bound = self.split(y)
        temp = self.films(heat, wall, pressure)
        between = (u[1:] + u[:-1]) / 2 + bound
        w = between / (1 + between)
        fox = np.maximum((1 / temp - 1 / value("glass_dry")) / (1 / self.solvent.glass_k - 1 / value("glass_dry")), 0.0)
        rubber, glass = value("diffusion_slope_rubber"), value("diffusion_slope_glass")
        dry = value("diffusion_dry") * np.exp(-value("diffusion_energy_dry") * 1e3 / R * (1 / temp - 1 / 473.15))
        dry = dry * np.where(w < fox, np.exp(glass * w), np.exp(glass * fox + rubber * (w - fox)))
        swollen = value("diffusion_swollen") * np.exp(-value("diffusion_energy_swollen") * 1e3 / R * (1 / temp - 1 / 373.15))
        flow = dry * swollen / (dry + swollen) * np.diff(u, axis=0) / np.diff(self.x)[:, None] / self.length_m**2
        out = self.surface(u[-1], temp, pressure, vapour)
        held = value("bound_solvent") * (1 - np.exp(-np.maximum((self.v * u).sum(axis=0), 0.0) / value("bound_refill")))
        freed = value("release_rate") * np.exp(-value("release_energy") * 1e3 / R * (1 / temp - 1 / 473.15)) * (bound - held)
        du = np.diff(np.vstack((np.zeros(self.p), flow, -out)), axis=0) / self.v + freed
        return np.concatenate((du.ravel(), self._cure(self.mean(y), x, temp), self._warm(heat, out, wall, pressure), -freed))

    def _cure(self, mean, x, temp):
        w = mean / (1 + mean)
        dry = value("glass_dry") + value("glass_rise") * value("density_limit") * x
        glass = 1 / ((1 - w) / dry + w / self.solvent.glass_k)
        offset, width = value("vitrification_offset"), value("vitrification_width")
        phi = 1 / (1 + np.exp((glass - temp - offset) / width))
        phi_dry = 1 / (1 + np.exp((value("glass_dry") - 513.15 - offset) / width))
        k = self.cure_rate_s * np.exp(-value("activation_energy") * 1e3 / R * (1 / temp - 1 / 513.15)) * phi / phi_dry
        return k / value("density_limit") * np.maximum(1 - x, 0.0) ** value("order")

    def _warm(self, heat, out, wall, pressure):
        latent = self.latent_j_kg * self.polymer_kg * self.share * out
        watts = self.wall_heat(heat, wall, pressure) - np.r_[latent[:-2], latent[-2] + latent[-1], 0.0]
        k = self.conductivity(pressure)
        flow = k * self.geometry * np.diff(heat[:-1])
        watts[:-2] += flow
        watts[1:-1] -= flow
        to_tube = k * self.inwards * (heat[0] - heat[-1])
        watts[0] -= to_tube
        watts[-1] += to_tube
        return watts / self.c

    @property
    def latent_j_kg(self):
        return self.solvent.evaporation_kj_mol / self.solvent.molar_mass_g_mol * 1e6

    def sparsity(self):
        size = self.n * self.p + 3 * self.p
        found = lil_matrix((size, size))
        heat = self.n * self.p + self.p
        for p in range(self.p):
            cure, bound = self.n * self.p + p, heat + self.p + p
            temp = heat + min(p, self.p - 2)  # of the ring on which the film lies
            for i in range(self.n):
                here = i * self.p + p
                for other in (here - self.p, here, here + self.p):
                    if 0 <= other < self.n * self.p:
                        found[here, other] = 1
                found[here, temp] = found[here, bound] = found[cure, here] = 1
            found[cure, cure] = found[cure, temp] = found[cure, bound] = 1
            found[bound, bound] = found[bound, temp] = 1
            for node in range(self.n):
                found[bound, node * self.p + p] = 1
                found[node * self.p + p, [other * self.p + p for other in range(self.n)]] = 1
            found[temp, (self.n - 1) * self.p + p] = 1
            for other in (p - 1, p, p + 1):
                found[heat + p, heat + other % self.p] = 1  # the tube lies before the first ring
        return found.tocsc()

    def solve(self, y, moments, rtol, atol, method="BDF"):
        """Integrate from knot to knot, because the drive bends there; return the states at ``moments``, (K, size)."""
        seen, sparsity = [], self.sparsity()
        ends = [t for t in np.unique(self.knots[:, 0]) if 0 < t < moments[-1]] + [moments[-1]]
        began = 0.0
        for end in ends:
            here = [t for t in moments if began < t <= end or (t == 0 == began)]
            found = solve_ivp(
                self, (began, end), y, method=method, t_eval=np.unique([*here, end]), rtol=rtol, atol=atol, jac_sparsity=sparsity
            )
            assert found.success
            seen.extend(found.y[:, list(found.t).index(t)] for t in here)
            y, began = found.y[:, -1], end
        return np.array(seen)

    def start(self, temp_k, residual):
        u = residual / (1 - residual)
        most, refill = value("bound_solvent"), value("bound_refill")
        bound = brentq(lambda held: held - most * (1 - np.exp(-(u - held) / refill)), 0.0, u)
        return np.r_[np.full(self.n * self.p, u - bound), np.zeros(self.p), np.full(self.p, temp_k), np.full(self.p, bound)]

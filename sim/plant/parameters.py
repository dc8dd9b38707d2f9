"""Every number of the simulated oven, roll and film, with its unit and where it comes from.

``[assume]`` marks an engineering assumption that a site would replace by its own data. ``draw`` varies the product's numbers from batch to
batch, so that nobody who watches the plant can know them.
"""

import random
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Parameters:
    """The truth of one batch: oven, roll, film and curing chemistry. SI units unless the name says otherwise."""

    # chamber and gas
    chamber_m3: float = 1.8  # free volume [assume]
    ambient_c: float = 23.0  # hall [assume]
    ambient_mbar: float = 1013.25  # standard atmosphere
    leak_mbar_l_s: float = 4.0e-3  # air leak at full pressure difference; 3.7e-3 is the practice for 1 m3 (10 um Hg/h)
    gas_wall_share: float = 0.85  # share of the wall temperature in the gas temperature, rest is the cold wall [assume]
    cold_wall_share: float = 0.35  # how far the coldest wall follows the heated walls above ambient [assume]
    cold_wall_lag_s: float = 1800.0  # of the coldest wall (door flange) [assume]
    vent_s: float = 6.0  # time constant of venting to the hall [assume]
    door_s: float = 20.0  # exchange time constant of the open door [assume]
    relief_mbar: float = 1100.0  # relief lifts (hard-wired)
    # pumps and gas supply
    pump_m3_h: float = 300.0  # backing pump, nominal speed [assume]
    pump_end_mbar: float = 0.08  # end pressure of the backing pump [assume]
    roots_m3_h: float = 900.0  # what the Roots pump adds far below its cut-in [assume]
    roots_cut_in_mbar: float = 30.0  # below this the Roots pump begins to help [assume]
    throttle_m3_h: float = 1500.0  # conductance of the open throttle [assume]
    n2_max_nm3_h: float = 100.0  # range of the mass flow controller [assume]
    n2_lag_s: float = 1.5  # of the mass flow controller [assume]
    n2_header_bar: float = 6.0  # gauge [assume]
    n2_reserve_nm3: float = 600.0  # at the start of a batch [assume]
    n2_o2_ppm: float = 5.0  # oxygen in the nitrogen, vol ppm (grade 4.5-5.0) [assume]
    exhaust_s: float = 1.2  # time constant of the chamber's excess pressure through the open exhaust valve [assume]
    exhaust_fan_m3_h: float = 600.0  # duct flow, mostly dilution air [assume]
    # condenser
    condenser_c: float = -5.0  # running [assume]
    condenser_lag_s: float = 240.0  # from ambient to cold and back [assume]
    condenser_capture: float = 0.92  # share of the condensable vapour caught from a gas stream that passes it [assume]
    condenser_m3_s: float = 0.25  # pumping speed for vapour straight from the chamber, at zero pressure [assume]
    condenser_half_mbar: float = 8.0  # pressure at which inert gas halves that speed (diffusion barrier) [assume]
    wall_film_m3_s: float = 0.05  # the same for the coldest wall [assume]
    # heaters, per zone
    zone_w: float = 12.0e3  # installed power [assume]
    element_j_k: float = 6.0e3  # heating element: a lag of about 30 s [assume]
    element_w_k: float = 200.0  # element to wall [assume]
    wall_j_k: float = 9.0e4  # 180 kg of steel at 500 J/kgK [assume]
    loss_w_k: float = 15.0  # insulation [assume]
    zone_coupling_w_k: float = 20.0  # between neighbours [assume]
    cooling_w_k: float = 45.0  # cooling coil at 1 atm with circulation [assume]
    cooling_c: float = 18.0  # cooling water [assume]
    # foil, core and roll
    foil_kg_m3: float = 8900.0  # copper [text]
    foil_j_kg_k: float = 380.0  # copper [text]
    foil_w_m_k: float = 380.0  # copper [text]
    film_kg_m3: float = 1410.0  # PAI [src: Engineering Plastics Handbook]
    film_j_kg_k: float = 1150.0  # 1.0-1.3 kJ/kgK
    core_j_m2_k: float = 6.0e3  # aluminium tube, 2.5 mm wall, per m2 of its surface [assume]
    k_radial_n2: float = 0.05  # W/mK, wound roll in N2 at 1 atm, 18 um Cu + 20 um film + 100 um gap [calc]
    k_radial_tape: float = 0.014  # W/mK, what is left in vacuum: the tape's path [calc]
    k_half_mbar: float = 2.0  # pressure at which the gap's gas conduction is half [calc: 100 Pa gives 1.1e-2]
    k_ref_gap_um: float = 100.0  # gap of the two numbers above
    emissivity: float = 0.6  # of roll against wall, effective [assume]
    h_rest_w_m2_k: float = 2.5  # gas conduction at low pressure, above 0.1 mbar [assume]
    h_natural_w_m2_k: float = 4.0  # natural convection at 1 atm [assume]
    h_fan_w_m2_k: float = 10.0  # added by circulation at 1 atm [assume]
    edge_share: float = 0.06  # share of film and foil that counts as the roll's edges [assume]
    edge_coupling: float = 1.5  # edge to layer conductance over that of the layer's end face [assume]
    mandrel_w_k: float = 1.0  # winding core to oven through its supports [assume]
    # solvent (NMP)
    solvent_kg_mol: float = 0.09913
    solvent_kg_m3: float = 950.0  # liquid around 100 degC, from the density polynomial in the literature
    solvent_j_kg: float = 4.7e5  # heat of evaporation, 46.7 kJ/mol at 150 degC (MORGAN_KOBAYASHI)
    antoine_a: float = 21.1352  # ln Pa; A, B, C through 3.362/22.45/92.44 kPa at 100/150/200 degC (LANDOLT)
    antoine_b_k: float = 3809.75
    antoine_c_k: float = -80.428
    psat_factor: float = 1.04  # bias of the real solvent against that curve [assume]
    lel_pct: float = 1.3  # vol % [src: product pages]
    # film: free and bound solvent
    sorption: float = 7.0  # kg/kg, free solvent's activity is x/(1+x) with x = sorption u_free [assume]
    sorption_slope_k: float = 250.0  # its temperature dependence, as exp(slope (1/T - 1/473 K)) [assume]
    bound_capacity: float = 0.028  # kg solvent per kg polymer on sites [assume]
    bound_half: float = 0.04  # kg/kg free solvent at which half the sites are taken [assume]
    bound_rate_1_s: float = 1.5e-3  # release at 240 degC [assume]
    bound_j_mol: float = 95.0e3  # activation energy of the release [assume]
    diffusivity_m2_s: float = 4.0e-14  # dry film, 200 degC; literature spread is three decades [assume]
    diffusivity_j_mol: float = 25.0e3  # jump energy beside the free-volume term [assume]
    free_volume: float = 0.032  # dry film, 200 degC, per specific hole volume [assume]
    free_volume_1_k: float = 6.0e-5  # thermal expansion of the holes in the glass [assume]
    free_volume_solvent: float = 0.16  # added per weight fraction of solvent [assume]
    free_volume_need: float = 0.5  # critical hole size: exp(-need / free volume) [assume]
    # vapour in the gap
    n2_vapour_m2_s: float = 2.0e-5  # diffusivity of NMP in N2 at 200 degC and 1 atm [assume: Fuller's method gives this order]
    gas_pa_s: float = 2.6e-5  # viscosity of N2 at 200 degC [text]
    fan_pa: float = 160.0  # pressure difference that circulation puts over the roll's width at 1 atm [assume]
    tape_open: float = 0.7  # share of the edge left open by the tape [assume]
    # curing
    gel_h_240c: float = 2.8  # 1 over the chemical rate at 240 degC; vitrification and depletion make it 3.2 h to the gel point
    cure_j_mol: float = 147.0e3  # anchors 115-177 kJ/mol in the literature
    delta_max: float = 25.0  # crosslinked units per weight-average chain at full reaction [assume]
    cure_order: float = 1.3  # in the sites left [assume]
    delta_start: float = 0.05  # branching from the predry [assume]
    scission: float = 0.03  # chain scissions per crosslink [assume]
    pdi: float = 2.2  # polydispersity of the primary chains, 1.5-3 [assume]
    tg_dry_c: float = 275.0  # glass transition of the dry film [src: 280 degC, Engineering Plastics Handbook]
    tg_solvent_c: float = -105.0  # of the solvent [assume]
    tg_per_delta_c: float = 3.0  # rise with crosslinking [assume]
    vitrify_c: float = 9.0  # mobility falls e-fold per this much below Tg [assume]
    vitrify_factor: float = 300.0  # mobility-limited over chemical rate at Tg and 240 degC [assume]
    cure_gas_mol_kg: float = 0.04  # H2O and CO2 per kg polymer and unit of delta [assume]


def draw(seed: int) -> Parameters:
    """Return the parameters of batch ``seed``: the nominal ones, moved by a spread around a centre that is itself a little off."""
    rng = random.Random(seed)

    def factor(ln_sd: float, centre: float = 1.0) -> float:
        return centre * rng.lognormvariate(0.0, ln_sd)

    p = Parameters()
    return replace(
        p,
        leak_mbar_l_s=p.leak_mbar_l_s * factor(0.4),
        loss_w_k=p.loss_w_k * factor(0.1),
        k_radial_n2=p.k_radial_n2 * factor(0.2, 0.9),
        k_radial_tape=p.k_radial_tape * factor(0.3),
        emissivity=min(0.9, p.emissivity * factor(0.15)),
        psat_factor=p.psat_factor * factor(0.02),
        sorption=p.sorption * factor(0.15),
        bound_capacity=p.bound_capacity * factor(0.2),
        bound_rate_1_s=p.bound_rate_1_s * factor(0.25),
        diffusivity_m2_s=p.diffusivity_m2_s * factor(0.35, 1.15),
        gel_h_240c=min(3.4, max(2.3, p.gel_h_240c * factor(0.12))),
        cure_j_mol=min(155e3, max(140e3, p.cure_j_mol + rng.gauss(0.0, 3e3))),
        pdi=min(3.0, max(1.5, rng.gauss(2.2, 0.3))),
        delta_start=p.delta_start * factor(0.3),
        scission=p.scission * factor(0.3),
        tg_dry_c=p.tg_dry_c + rng.gauss(0.0, 5.0),
        tape_open=min(1.0, p.tape_open * factor(0.1)),
    )

"""The equipment's envelope: what this oven can do and must never be asked to exceed. Every default is a site's to replace."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

OPEN_DEADBAND_C: Final = 2.0  # below ``open_c`` by so much a load that was hot may be opened


class Strict(BaseModel):
    """Base of everything that people or machines send in: unknown keys, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Equipment(Strict):
    """The oven, as its makers and its hazard study describe it. [assume] throughout: defaults of a 2 m3 batch oven."""

    max_c: Annotated[float, Field(ge=50, le=350, description="highest set point of load or zones, degC")] = 260.0
    max_rate_c_per_min: Annotated[float, Field(gt=0, le=20, description="fastest ramp, degC/min")] = 5.0
    cascade_lead_c: Annotated[float, Field(ge=0, le=60, description="how far a zone set point may lead the load's, degC")] = 10.0
    min_mbar: Annotated[float, Field(ge=1e-3, le=900, description="lowest pressure that can be held, mbar")] = 1.0
    max_mbar: Annotated[float, Field(ge=900, le=1040, description="highest pressure set point, mbar absolute")] = 1030.0
    max_n2_flow_nm3_h: Annotated[float, Field(gt=0, le=200, description="N2 mass-flow controller, full scale, Nm3/h")] = 60.0
    chamber_m3: Annotated[float, Field(gt=0.05, le=100, description="free gas volume, m3")] = 2.0
    pump_m3_h: Annotated[float, Field(gt=0, le=20000, description="pumping speed at the chamber above 1 mbar, m3/h")] = 250.0
    trap_kg: Annotated[float, Field(gt=0, le=1000, description="solvent the cold trap can hold, kg")] = 15.0
    solvent_kg: Annotated[float, Field(gt=0, le=1000, description="solvent load permitted by the hazard study, kg")] = 12.0
    solvent_kg_h: Annotated[float, Field(gt=0, le=1000, description="solvent rate that condenser and pump take, kg/h")] = 4.0
    roll_length_m: Annotated[float, Field(gt=0, le=20000, description="longest roll, m")] = 2000.0
    roll_width_m: Annotated[float, Field(gt=0, le=3, description="widest roll, m")] = 1.1
    open_c: Annotated[float, Field(ge=20, le=80, description="load temperature below which the door may open, degC")] = 60.0
    heater_kw: Annotated[float, Field(gt=0, le=1000, description="installed heating power of all zones, kW")] = 36.0
    wall_kj_k: Annotated[float, Field(gt=0, le=20000, description="heat capacity of walls and elements, kJ/K")] = 290.0
    loss_w_k: Annotated[
        float, Field(ge=0, le=5000, description="heat loss to the hall, W/K, from a cooling curve in the nitrogen that recipes cool in")
    ] = 52.0
    ambient_c: Annotated[float, Field(ge=0, le=45, description="hall, degC")] = 22.0
    emergency_purge_nm3: Annotated[float, Field(ge=0, le=1000, description="N2 that one emergency purge takes, Nm3")] = 10.0
    direct_output: Annotated[bool, Field(description="true: this controller closes the zone loops; false: the PLC does")] = False

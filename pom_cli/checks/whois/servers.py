"""Which port-43 server answers for a top-level domain, as IANA's root database has it, and how it wants to be asked.

For a top-level domain that is not listed, or whose server here is gone, whois.iana.org is asked: it knows every one.
"""

from functools import cache

IANA = "whois.iana.org"

# The usual name is whois.nic.TLD; these registries use it.
_USUAL = (
    "ac ag ai ar as at bh bi bj cd ch ci cl cr cx cz do dz ec fm fr ga gd gi gl gs hn ht hu im io ir it kn ky kz la li "
    "lk lv ly ma md me mg ms mu mw mx mz nf nu om pm pr pw re ro sh sl sn so st td tf tg tl tm tv uk us ve vg wf yt zm"
)
_OTHERS = (
    "com whois.verisign-grs.com|net whois.verisign-grs.com|edu whois.educause.edu|gov whois.nic.gov|int whois.iana.org"
    "|org whois.publicinterestregistry.org|ae whois.aeda.net.ae|am whois.amnic.net|au whois.auda.org.au|ax whois.ax"
    "|be whois.dns.be|bg whois.register.bg|bn whois.bnnic.bn|br whois.registro.br|bw whois.nic.net.bw"
    "|by whois.cctld.by|ca whois.ca.fury.ca|cc ccwhois.verisign-grs.com|cm whois.netcom.cm|cn whois.cnnic.cn"
    "|co whois.registry.co|de whois.denic.de|dk whois.punktum.dk|dm whois.dmdomains.dm|ee whois.tld.ee|eu whois.eu"
    "|fi whois.fi|fj www.whois.fj|fo whois.nic.fo|ge whois.nic.ge|gg whois.gg|gy whois.registry.gy|hk whois.hkirc.hk"
    "|hm whois.registry.hm|hr whois.dns.hr|id whois.id|ie whois.weare.ie|il whois.isoc.org.il|in whois.nixiregistry.in"
    "|iq whois.cmc.iq|is whois.isnic.is|je whois.je|jp whois.jprs.jp|ke whois.kenic.or.ke|kg whois.kg|kr whois.kr"
    "|lt whois.domreg.lt|lu whois.dns.lu|mk whois.marnet.mk|mo whois.monic.mo|my whois.mynic.my|na whois.na-nic.com.na"
    "|nc whois.nc|ng whois.nic.net.ng|nl whois.domain-registry.nl|no whois.norid.no|nz whois.irs.net.nz"
    "|pe kero.yachay.pe|pf whois.registry.pf|pl whois.dns.pl|pt whois.dns.pt|qa whois.registry.qa|rs whois.rnids.rs"
    "|ru whois.tcinet.ru|rw whois.ricta.org.rw|sa whois.nic.net.sa|sb whois.nic.net.sb|se whois.iis.se"
    "|sg whois.sgnic.sg|si whois.register.si|sk whois.sk-nic.sk|su whois.tcinet.ru|sx whois.sx|th whois.thnic.co.th"
    "|tk whois.dot.tk|tn whois.ati.tn|to whois.tonic.to|tr whois.trabis.gov.tr|tw whois.twnic.net.tw"
    "|tz whois.tznic.or.tz|ua whois.ua|ug whois.co.ug|uy whois.nic.org.uy|uz whois.cctld.uz|ws whois.website.ws"
    "|xn--p1ai whois.tcinet.ru|xn--mgba3a4f16a whois.nic.ir|xn--fiqs8s cwhois.cnnic.cn|xn--90a3ac whois.rnids.rs"
    "|xn--j6w193g whois.hkirc.hk|xn--3e0b707e whois.kr|xn--kpry57d whois.twnic.net.tw"
)


def known_server(tld: str) -> str | None:
    """The server of this top-level domain, None where the table has none."""
    return _table().get(tld)


def query(server: str, domain: str) -> str:
    """The line that this server wants to be sent for the record of a domain, and nothing else."""
    if server == "whois.denic.de":
        return f"-T dn,ace {domain}"
    if server == "whois.jprs.jp":
        return f"{domain}/e"
    if server.endswith("verisign-grs.com"):
        return f"domain {domain}"
    return f"--show-handles {domain}" if server in ("whois.punktum.dk", "whois.dk-hostmaster.dk") else domain


@cache
def _table() -> dict[str, str]:
    table = {tld: f"whois.nic.{tld}" for tld in _USUAL.split()}
    for entry in _OTHERS.split("|"):
        tld, server = entry.split()
        table[tld] = server
    return table

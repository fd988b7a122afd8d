//! Quantas conexões há de cada endereço, para que uma pessoa só não encha a casa (`--max-por-endereco`).
//!
//! Só se contam as que estão na casa agora: a memória é a delas, e quem já se foi não deixa rastro. Não conhece
//! conexões, nem o que se diz a quem fica de fora.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Quantos bits de um IPv6 dizem de quem ele é: uma rede doméstica, ou uma máquina alugada, tem um /64 inteiro,
/// e por isso contar cada endereço não limitaria ninguém.
const PREFIXO: u32 = 64;

/// Os lugares que cada endereço ocupa.
#[derive(Debug, Default)]
pub(super) struct Lugares {
    de_cada_um: HashMap<IpAddr, usize>,
}

impl Lugares {
    /// Quantos lugares este endereço ocupa.
    pub(super) fn de(&self, ip: IpAddr) -> usize {
        self.de_cada_um.get(&pessoa(ip)).copied().unwrap_or_default()
    }

    /// Entrou uma conexão deste endereço.
    pub(super) fn ocupar(&mut self, ip: IpAddr) {
        *self.de_cada_um.entry(pessoa(ip)).or_default() += 1;
    }

    /// Saiu uma conexão deste endereço.
    pub(super) fn vagar(&mut self, ip: IpAddr) {
        let pessoa = pessoa(ip);
        if let Some(quantos) = self.de_cada_um.get_mut(&pessoa) {
            *quantos -= 1;
            if *quantos == 0 {
                self.de_cada_um.remove(&pessoa);
            }
        }
    }

    /// Ninguém ocupa lugar nenhum?
    #[cfg(test)]
    fn vazios(&self) -> bool {
        self.de_cada_um.is_empty()
    }
}

/// De quem é este endereço: um IPv4 inteiro, ou a rede de um IPv6.
fn pessoa(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(v6.to_bits() >> (128 - PREFIXO) << (128 - PREFIXO)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn quem_sai_nao_deixa_rastro() {
        let mut lugares = Lugares::default();
        let ip: IpAddr = "10.0.0.1".parse().unwrap();
        (0..3).for_each(|_| lugares.ocupar(ip));
        lugares.vagar(ip);
        assert_eq!(lugares.de(ip), 2);
        (0..2).for_each(|_| lugares.vagar(ip));
        assert!(lugares.vazios());
    }

    #[test]
    fn um_ipv6_conta_pela_rede_e_um_ipv4_por_si() {
        let mut lugares = Lugares::default();
        let ips = ["2001:db8::1", "2001:db8::ffff:1:2", "::ffff:10.0.0.1", "10.0.0.1"];
        ips.iter().for_each(|ip| lugares.ocupar(ip.parse().unwrap()));
        let de = |ip: &str| lugares.de(ip.parse().unwrap());
        assert_eq!((de("2001:db8::3"), de("2001:db8:0:1::1")), (2, 0));
        assert_eq!((de("10.0.0.1"), de("10.0.0.2")), (2, 0));
    }
}

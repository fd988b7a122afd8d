//! O que nunca pode acontecer a um estoque partilhado, conferido contra o que o etcd de mentira guardou.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use servidor::partilhado::etcd::Par;
use servidor::partilhado::{Balanco, Vendidas};

use crate::etcd_de_mentira::EtcdDeMentira;

/// O nome da regra e o que se viu.
pub type Veredito = Result<(), String>;

pub fn exigir(vale: bool, regra: &str, visto: impl FnOnce() -> String) -> Veredito {
    if vale { Ok(()) } else { Err(format!("o invariante «{regra}»: {}", visto())) }
}

/// O que se disse a cada comprador.
#[derive(Debug, Default)]
pub struct Oraculo {
    /// Quem ouviu que comprou, e quanto ouviu que restava.
    vendas: BTreeMap<SocketAddr, u64>,
    /// Quem ouviu que estava esgotado.
    recusas: Vec<SocketAddr>,
    /// Em que revisões alguém foi avisado de ter vendido a última unidade.
    esgotamentos: Vec<u64>,
    /// Quem não ficou sabendo: pode ter comprado ou não.
    duvidas: Vec<SocketAddr>,
    /// A maior revisão de que alguém já leu.
    lida: u64,
}

fn balanco(etcd: &EtcdDeMentira, revisao: u64) -> Balanco {
    Balanco::ler(&etcd.como_era("venda/e/", revisao)).unwrap()
}

impl Oraculo {
    /// Um lote ficou firme. Foi proposto quando o etcd estava em `proposto_em`.
    pub fn firme(
        &mut self,
        etcd: &EtcdDeMentira,
        compradores: &[SocketAddr],
        (antes, revisao, esgotou): (u64, u64, bool),
        proposto_em: u64,
    ) -> Veredito {
        exigir(revisao >= proposto_em, "quem lê depois não vê menos", || {
            format!("leu a revisão {revisao}, e já havia a {proposto_em}")
        })?;
        let vendem = !compradores.is_empty() && antes > 0;
        let verdade = balanco(etcd, if vendem { revisao - 1 } else { revisao }).a_venda();
        exigir(antes == verdade, "antes do lote havia o que se disse que havia", || {
            format!("disse-se {antes} na revisão {revisao}, e havia {verdade}")
        })?;
        let ultima = vendem && compradores.len() as u64 >= antes;
        exigir(esgotou == ultima, "esgota quem vende a última", || {
            format!("esgotou: {esgotou}, com {} compras e {antes} à venda", compradores.len())
        })?;
        if esgotou {
            let repetido = self.esgotamentos.contains(&revisao);
            exigir(!repetido, "um esgotamento se diz uma vez", || format!("{revisao}"))?;
            self.esgotamentos.push(revisao);
        }
        for (comprador, vez) in compradores.iter().zip(1..) {
            if vez <= antes {
                self.vendas.insert(*comprador, antes - vez);
            } else {
                self.recusas.push(*comprador);
            }
        }
        self.lida = self.lida.max(revisao);
        Ok(())
    }

    /// Ninguém disse a estes se compraram.
    pub fn duvida(&mut self, compradores: &[SocketAddr]) {
        self.duvidas.extend_from_slice(compradores);
    }

    /// Tudo acabou: as vendas escritas são as que se ouviram, cada unidade uma vez, e as contas fecham. `unidades`
    /// é tudo o que entrou.
    pub fn fim(&self, etcd: &EtcdDeMentira, unidades: u64, faltam: &[Vendidas]) -> Veredito {
        let escritas = etcd.como_era("venda/v/", etcd.revisao);
        let ler = |par: &Par| Vendidas::ler(par).unwrap();
        let mut lotes: Vec<Vendidas> = escritas.iter().map(ler).collect();
        for falta in faltam {
            if !lotes.iter().any(|lote| lote.posicao == falta.posicao) {
                lotes.push(falta.clone());
            }
        }
        lotes.sort_by_key(|lote| lote.posicao);
        let (mut livre, mut escritas) = (0, BTreeMap::new());
        for lote in &lotes {
            exigir(lote.posicao >= livre, "nenhuma unidade se vende duas vezes", || {
                format!("a posição {} já tinha dono", lote.posicao)
            })?;
            livre = lote.posicao + lote.compradores.len() as u64;
            for (comprador, vez) in lote.compradores.iter().zip(1..) {
                exigir(vez <= lote.antes, "só se vende o que há", || format!("{lote:?}"))?;
                let repetida = escritas.insert(*comprador, lote.antes - vez).is_some();
                exigir(!repetida, "uma compra vale uma vez", || format!("{comprador}"))?;
            }
        }
        for (comprador, restante) in &self.vendas {
            let escrita = escritas.get(comprador);
            exigir(escrita == Some(restante), "nada do que se confirmou se perde", || {
                format!("{comprador} ouviu que restavam {restante}, e está escrito {escrita:?}")
            })?;
        }
        let recusada = self.recusas.iter().find(|comprador| escritas.contains_key(comprador));
        exigir(recusada.is_none(), "quem ouviu que esgotou não comprou", || {
            format!("{recusada:?}")
        })?;
        let a_mais = escritas.keys().find(|comprador| {
            !self.vendas.contains_key(comprador) && !self.duvidas.contains(comprador)
        });
        exigir(a_mais.is_none(), "quem compra ouve que comprou", || format!("{a_mais:?}"))?;
        let a_venda = balanco(etcd, etcd.revisao).a_venda();
        exigir(escritas.len() as u64 + a_venda == unidades, "as contas fecham", || {
            format!("entraram {unidades}; {} vendidas, {a_venda} à venda", escritas.len())
        })
    }
}

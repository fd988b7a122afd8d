//! O que nunca pode acontecer a um estoque partilhado, conferido contra o que o etcd de mentira guardou.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use protocolo::Id;
use servidor::partilhado::etcd::Par;
use servidor::partilhado::{Balanco, Comprador, Desfecho, Vendidas};

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
    /// O que se disse de cada id, da primeira vez; `None`, já não havia.
    pedidos: BTreeMap<String, Option<u64>>,
}

fn balanco(etcd: &EtcdDeMentira, revisao: u64) -> Balanco {
    Balanco::ler(&etcd.como_era("venda/e/", revisao)).unwrap()
}

impl Oraculo {
    /// Um lote ficou firme. Foi proposto quando o etcd estava em `proposto_em`.
    pub fn firme(
        &mut self,
        etcd: &EtcdDeMentira,
        compradores: &[Comprador],
        (antes, revisao, esgotou): (u64, u64, bool),
        proposto_em: u64,
    ) -> Veredito {
        exigir(revisao >= proposto_em, "quem lê depois não vê menos", || {
            format!("leu a revisão {revisao}, e já havia a {proposto_em}")
        })?;
        let pede = compradores.iter().any(|comprador| comprador.id.is_some());
        let vendem = !compradores.is_empty() && antes > 0;
        let escreve = vendem || pede;
        let verdade = balanco(etcd, if escreve { revisao - 1 } else { revisao }).a_venda();
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
                self.vendas.insert(comprador.endereco, antes - vez);
            } else {
                self.recusas.push(comprador.endereco);
            }
            if let Some(id) = &comprador.id {
                let sobrou = antes.checked_sub(vez);
                let dito = self.pedidos.insert(id.texto().to_owned(), sobrou);
                let mesma = dito.is_none_or(|dito| dito == sobrou);
                exigir(mesma, "a resposta a um pedido não muda", || {
                    format!("{id:?} teve {dito:?} e {sobrou:?}")
                })?;
            }
        }
        self.lida = self.lida.max(revisao);
        Ok(())
    }

    /// Estes já tinham sido atendidos: o que se diz deles é o que se disse, ou o que se teria dito.
    pub fn repetidos(
        &mut self,
        etcd: &EtcdDeMentira,
        compradores: &[Comprador],
        atendidos: &[(Id, Desfecho)],
    ) -> Veredito {
        for (id, desfecho) in atendidos {
            let do_lote = compradores.iter().any(|comprador| comprador.id.as_ref() == Some(id));
            exigir(do_lote, "só se fala de quem perguntou", || format!("{id:?}"))?;
            let chave = format!("venda/i/{}", id.texto());
            let escrita =
                etcd.como_era(&chave, etcd.revisao).into_iter().find(|p| p.chave == chave);
            exigir(escrita.is_some(), "só se repete o que já foi", || format!("{id:?}"))?;
            let em = escrita.map_or(0, |par| par.escrita_em);
            let sobrou = match desfecho {
                Desfecho::Comprou(restante) => Some(*restante),
                Desfecho::Esgotado => None,
                Desfecho::Esquecido => {
                    exigir(em < etcd.compactada, "só se esquece o que se apagou", || {
                        format!("{id:?}, da revisão {em}")
                    })?;
                    continue;
                }
            };
            let dito = *self.pedidos.entry(id.texto().to_owned()).or_insert(sobrou);
            exigir(dito == sobrou, "a resposta a um pedido não muda", || {
                format!("{id:?} teve {dito:?}, e agora {sobrou:?}")
            })?;
        }
        Ok(())
    }

    /// Ninguém disse a estes se compraram.
    pub fn duvida(&mut self, compradores: &[Comprador]) {
        self.duvidas.extend(compradores.iter().map(|comprador| comprador.endereco));
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
        let (mut livre, mut escritas, mut ids) = (0, BTreeMap::new(), BTreeMap::new());
        for lote in &lotes {
            exigir(lote.posicao >= livre, "nenhuma unidade se vende duas vezes", || {
                format!("a posição {} já tinha dono", lote.posicao)
            })?;
            livre = lote.posicao + lote.compradores.len() as u64;
            for (comprador, vez) in lote.compradores.iter().zip(1..) {
                exigir(vez <= lote.antes, "só se vende o que há", || format!("{lote:?}"))?;
                let restante = lote.antes - vez;
                let repetida = escritas.insert(comprador.endereco, restante).is_some();
                exigir(!repetida, "uma compra vale uma vez", || format!("{comprador}"))?;
                if let Some(id) = &comprador.id {
                    let repetido = ids.insert(id.texto().to_owned(), restante).is_some();
                    exigir(!repetido, "um pedido compra uma vez", || format!("{comprador}"))?;
                }
            }
        }
        for (id, dito) in &self.pedidos {
            let escrito = ids.get(id).copied();
            exigir(escrito == *dito, "o que se disse de um pedido está escrito", || {
                format!("de {id} disse-se {dito:?}, e está escrito {escrito:?}")
            })?;
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

//! Um etcd em memória: só o que as sessões usam dele.

use std::collections::BTreeMap;

use servidor::partilhado::etcd::{
    CHAVES_POR_PAGINA, Condicao, Feito, Par, Resposta, SemResposta, Transacao, fim_do_prefixo,
};

#[derive(Debug, Clone)]
pub struct EtcdDeMentira {
    pub cluster: u64,
    pub revisao: u64,
    /// Leituras anteriores a esta já não se fazem.
    pub compactada: u64,
    /// Cada valor que uma chave teve, e em que revisão passou a tê-lo.
    chaves: BTreeMap<String, Vec<(u64, String)>>,
}

impl EtcdDeMentira {
    pub fn novo(cluster: u64) -> Self {
        EtcdDeMentira { cluster, revisao: 1, compactada: 0, chaves: BTreeMap::new() }
    }

    /// Faz a transação e responde.
    pub fn fazer(&mut self, transacao: &Transacao) -> Result<Resposta, SemResposta> {
        let valeu = transacao.se.iter().all(|condicao| self.vale(condicao));
        let feitos = if valeu { &transacao.entao } else { &transacao.senao };
        let passado = feitos.iter().filter_map(|feito| match feito {
            Feito::Ler(_, revisao) => *revisao,
            Feito::Pagina(_, _, revisao) => Some(*revisao),
            Feito::Escrever(..) | Feito::LerUma(_) => None,
        });
        if passado.into_iter().any(|revisao| revisao < self.compactada) {
            return Err(SemResposta::Compactada);
        }
        let nova = self.revisao + 1;
        let mut pares = Vec::new();
        for feito in feitos {
            match feito {
                Feito::Escrever(chave, valor) => {
                    self.chaves.entry(chave.clone()).or_default().push((nova, valor.clone()));
                    self.revisao = nova;
                }
                Feito::Ler(prefixo, revisao) => {
                    let fim = fim_do_prefixo(prefixo);
                    pares.extend(self.em(prefixo, &fim, revisao.unwrap_or(nova)));
                }
                Feito::LerUma(chave) => {
                    let fim = format!("{chave}\0");
                    pares.extend(self.em(chave, &fim, nova));
                }
                Feito::Pagina(de, ate, revisao) => {
                    pares.extend(self.em(de, ate, *revisao).take(CHAVES_POR_PAGINA));
                }
            }
        }
        Ok(Resposta { cluster: self.cluster, revisao: self.revisao, valeu, pares })
    }

    fn em<'a>(&'a self, de: &str, ate: &str, revisao: u64) -> impl Iterator<Item = Par> + 'a {
        let faixa = self.chaves.range(de.to_owned()..ate.to_owned());
        faixa.filter_map(move |(chave, valores)| {
            let (escrita_em, valor) = valores.iter().rev().find(|(em, _)| *em <= revisao)?;
            Some(Par { chave: chave.clone(), valor: valor.clone(), escrita_em: *escrita_em })
        })
    }

    fn vale(&self, condicao: &Condicao) -> bool {
        let escrita_em = |valores: &Vec<(u64, String)>| valores.last().map_or(0, |(em, _)| *em);
        match condicao {
            Condicao::EscritaEm(chave, revisao) => {
                self.chaves.get(chave).map_or(0, escrita_em) == *revisao
            }
            Condicao::NadaMudouDesde(prefixo, revisao) => self
                .chaves
                .range(prefixo.clone()..fim_do_prefixo(prefixo))
                .all(|(_, valores)| escrita_em(valores) <= *revisao),
        }
    }

    /// O que havia sob um prefixo em uma revisão, ainda que compactada: o oráculo não esquece.
    pub fn como_era(&self, prefixo: &str, revisao: u64) -> Vec<Par> {
        self.em(prefixo, &fim_do_prefixo(prefixo), revisao).collect()
    }

    pub fn compactar(&mut self) {
        self.compactada = self.revisao;
    }
}

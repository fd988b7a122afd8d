//! Um horário: o que acontece a cada servidor e a cada pedido, sorteado de uma semente.
//!
//! Um pedido pode chegar ou não, valer duas vezes, valer sem que a resposta chegue, ou valer muito depois, quando
//! já se pediu outra vez. Um servidor pode cair e abrir de novo com o mesmo nome, ou dois podem ter o mesmo nome. O
//! etcd pode esquecer o passado, e alguém pode repor. No fim as faltas cessam, e tudo tem de se concluir.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use fastrand::Rng;
use protocolo::Id;
use servidor::partilhado::etcd::{SemResposta, Transacao};
use servidor::partilhado::{
    Balanco, Comprador, Erro, Passo, Sessao, UltimoLote, Vendidas, reposicao,
};

use crate::etcd_de_mentira::EtcdDeMentira;
use crate::oraculo::{Oraculo, Veredito, exigir};

const HORA: &str = "2026-11-26T12:00:00.000Z";

/// Um processo de servidor.
struct Servidor {
    nome: String,
    sessao: Sessao,
    /// Quem está no lote proposto, e em que revisão o etcd estava quando se propôs.
    proposto: Option<(Vec<Comprador>, u64)>,
    /// Parou de vender, ou caiu.
    parado: bool,
}

pub struct Mundo {
    sorte: Rng,
    etcd: EtcdDeMentira,
    servidores: Vec<Servidor>,
    /// Pedidos que a rede ainda vai entregar, de que ninguém espera a resposta.
    atrasados: Vec<Transacao>,
    oraculo: Oraculo,
    unidades: u64,
    clientes: u16,
    instancias: u64,
    /// Lotes cujo passado o etcd esqueceu antes de alguém os ver: só as contas os acusam.
    esqueceu: bool,
    mostrar: bool,
}

impl Mundo {
    pub fn novo(semente: u64, mostrar: bool) -> Self {
        let mut sorte = Rng::with_seed(semente);
        let unidades = sorte.u64(0..12);
        let mut mundo = Mundo {
            etcd: EtcdDeMentira::novo(7),
            servidores: Vec::new(),
            atrasados: Vec::new(),
            oraculo: Oraculo::default(),
            unidades,
            clientes: 1000,
            instancias: 0,
            esqueceu: false,
            mostrar,
            sorte,
        };
        for nome in ["s1", "s2", "s10"].iter().take(mundo.sorte.usize(1..=3)) {
            mundo.abrir(nome);
        }
        mundo
    }

    fn abrir(&mut self, nome: &str) {
        self.instancias += 1;
        let estoque = self.servidores.is_empty().then_some(self.unidades);
        let sessao = Sessao::nova(nome, self.instancias, estoque, self.unidades, HORA);
        let nome = nome.to_owned();
        self.servidores.push(Servidor { nome, sessao, proposto: None, parado: false });
    }

    fn contar(&self, linha: impl FnOnce() -> String) {
        if self.mostrar {
            println!("{}", linha());
        }
    }

    pub fn viver(mut self) -> Veredito {
        for _ in 0..self.sorte.usize(5..60) {
            self.passo()?;
        }
        self.sossegar()?;
        let faltam = self.deduzir();
        if self.esqueceu {
            return Ok(());
        }
        self.oraculo.fim(&self.etcd, self.unidades, &faltam)
    }

    fn passo(&mut self) -> Veredito {
        let qual = self.sorte.usize(0..self.servidores.len());
        match self.sorte.u8(0..100) {
            0..25 => self.propor(qual),
            25..80 => return self.rede(qual),
            80..84 => self.entregar_atrasado(),
            84..88 => self.anotar(qual),
            88..91 => self.repor(),
            91..93 => self.compactar(),
            93..97 => self.cair(qual),
            _ => {
                // O mesmo nome, em outro processo, com o primeiro ainda de pé.
                let nome = self.servidores[qual].nome.clone();
                self.contar(|| format!("outro abre como {nome}"));
                self.abrir(&nome);
            }
        }
        Ok(())
    }

    fn propor(&mut self, qual: usize) {
        let quantos = self.sorte.u16(0..4);
        let servidor = &mut self.servidores[qual];
        if servidor.parado || servidor.proposto.is_some() || !servidor.sessao.aberta() {
            return;
        }
        let cliente = |numero| Comprador::from(SocketAddr::from(([127, 0, 0, 1], numero)));
        let mut compradores: Vec<_> = (0..quantos).map(|n| cliente(self.clientes + n)).collect();
        self.clientes += quantos;
        // Um lote não tem o mesmo id duas vezes: disso cuida o balcão.
        let primeiro = self.sorte.u8(b'a'..b'h');
        for (comprador, letra) in compradores.iter_mut().zip(primeiro..) {
            comprador.id = Id::ler(&[letra]).filter(|_| self.sorte.u8(0..3) == 0);
        }
        self.contar(|| format!("{qual} propõe {compradores:?}"));
        self.levar(qual, compradores);
    }

    fn levar(&mut self, qual: usize, compradores: Vec<Comprador>) {
        let servidor = &mut self.servidores[qual];
        servidor.sessao.propor(compradores.clone(), HORA);
        servidor.proposto = Some((compradores, self.etcd.revisao));
    }

    fn anotar(&mut self, qual: usize) {
        if !self.servidores[qual].parado {
            self.servidores[qual].sessao.anotar();
        }
    }

    /// O pedido deste servidor, se há um, encontra a rede que encontrar.
    fn rede(&mut self, qual: usize) -> Veredito {
        let servidor = &self.servidores[qual];
        let Some(pedido) = servidor.sessao.pedido().filter(|_| !servidor.parado) else {
            return Ok(());
        };
        let duvida = || SemResposta::Duvida("a rede".into());
        match self.sorte.u8(0..100) {
            0..60 => {
                let resposta = self.etcd.fazer(&pedido);
                self.ouvir(qual, resposta)
            }
            60..70 => self.ouvir(qual, Err(duvida())),
            70..82 => {
                let _ = self.etcd.fazer(&pedido);
                self.ouvir(qual, Err(duvida()))
            }
            82..90 => {
                let _ = self.etcd.fazer(&pedido);
                let resposta = self.etcd.fazer(&pedido);
                self.ouvir(qual, resposta)
            }
            _ => {
                self.atrasados.push(pedido);
                self.ouvir(qual, Err(duvida()))
            }
        }
    }

    fn ouvir(
        &mut self,
        qual: usize,
        resposta: Result<servidor::partilhado::etcd::Resposta, SemResposta>,
    ) -> Veredito {
        let servidor = &mut self.servidores[qual];
        let passo = match &resposta {
            Ok(resposta) => servidor.sessao.chegou(resposta),
            Err(porque) => Ok(servidor.sessao.perdeu(porque)),
        };
        if self.mostrar {
            println!("{qual} ouve {resposta:?}, e conclui {passo:?}");
        }
        match passo {
            Ok(None) => Ok(()),
            Ok(Some(Passo::Firme { antes, revisao, esgotou })) => {
                let (compradores, desde) = servidor.proposto.take().unwrap();
                let firme = (antes, revisao, esgotou);
                self.oraculo.firme(&self.etcd, &compradores, firme, desde)
            }
            Ok(Some(Passo::Repetidos(atendidos))) => {
                let (mut compradores, _) = servidor.proposto.take().unwrap();
                self.oraculo.repetidos(&self.etcd, &compradores, &atendidos)?;
                // Como o balcão faz: os outros vão outra vez.
                compradores.retain(|comprador| {
                    comprador
                        .id
                        .as_ref()
                        .is_none_or(|id| atendidos.iter().all(|(ele, _)| ele != id))
                });
                self.levar(qual, compradores);
                Ok(())
            }
            Ok(Some(Passo::SemDesfecho)) => {
                let (compradores, _) = servidor.proposto.take().unwrap();
                self.oraculo.duvida(&compradores);
                self.esqueceu = true;
                Ok(())
            }
            Err(Erro::Tomado(_)) => {
                let nome = servidor.nome.clone();
                self.parar(qual);
                let outros = self.servidores.iter().filter(|outro| outro.nome == nome).count();
                exigir(outros > 1, "só se para por outro do mesmo nome", || {
                    format!("{qual} parou")
                })
            }
            Err(erro) => {
                exigir(false, "nada que a rede faça é um erro", || format!("{qual}: {erro}"))
            }
        }
    }

    fn parar(&mut self, qual: usize) {
        let servidor = &mut self.servidores[qual];
        servidor.parado = true;
        if let Some((compradores, _)) = servidor.proposto.take() {
            self.oraculo.duvida(&compradores);
        }
    }

    fn cair(&mut self, qual: usize) {
        if !self.servidores[qual].parado {
            self.contar(|| format!("{qual} cai, e abre de novo"));
            self.parar(qual);
            let nome = self.servidores[qual].nome.clone();
            self.abrir(&nome);
        }
    }

    fn entregar_atrasado(&mut self) {
        if !self.atrasados.is_empty() {
            let qual = self.sorte.usize(0..self.atrasados.len());
            let pedido = self.atrasados.swap_remove(qual);
            let _ = self.etcd.fazer(&pedido);
        }
    }

    fn compactar(&mut self) {
        self.contar(|| "compacta".into());
        self.etcd.compactar();
        // Se quem vendeu cair antes de escrever as vendas do último lote, já ninguém as deduz.
        let escritas = self.etcd.como_era("venda/v/", self.etcd.revisao);
        let escrita = |vendidas: &Vendidas| {
            escritas.iter().any(|par| Vendidas::ler(par).unwrap().posicao == vendidas.posicao)
        };
        self.esqueceu |= !self.deduzir().iter().all(escrita);
        // E o que está a caminho pode valer já depois do que se apaga.
        self.esqueceu |= self.servidores.iter().any(|servidor| servidor.sessao.pedido().is_some());
    }

    fn repor(&mut self) {
        let lido = self.etcd.fazer(&reposicao::ler()).unwrap();
        let unidades = self.sorte.u64(1..4);
        let instante = format!("{HORA}#{}", self.etcd.revisao);
        // Entre ler e escrever pode chegar um pedido atrasado.
        if self.sorte.bool() {
            self.entregar_atrasado();
        }
        let Ok(Some((reposicao, _))) = reposicao::escrever(&lido, unidades, &instante) else {
            return;
        };
        if self.etcd.fazer(&reposicao).unwrap().valeu {
            self.contar(|| format!("entram mais {unidades}"));
            self.unidades += unidades;
        }
    }

    /// As faltas cessam: cada servidor conclui o que tem, e quem não parou vende e lê outra vez.
    fn sossegar(&mut self) -> Veredito {
        self.contar(|| "as faltas cessam".into());
        while !self.atrasados.is_empty() {
            self.entregar_atrasado();
        }
        for qual in 0..self.servidores.len() {
            for _ in 0..24 {
                let servidor = &self.servidores[qual];
                let Some(pedido) = servidor.sessao.pedido().filter(|_| !servidor.parado) else {
                    break;
                };
                let resposta = self.etcd.fazer(&pedido);
                self.ouvir(qual, resposta)?;
            }
            let servidor = &self.servidores[qual];
            let parou = servidor.parado || servidor.proposto.is_none() && servidor.sessao.aberta();
            exigir(parou, "sem mais faltas, tudo se conclui", || format!("{qual} ficou a meio"))?;
        }
        Ok(())
    }

    /// O que o último lote de cada nome vendeu, como o extrato o deduz.
    fn deduzir(&self) -> Vec<Vendidas> {
        let mut deduzidas = BTreeMap::new();
        for par in self.etcd.como_era("venda/p/", self.etcd.revisao) {
            let nome = par.chave.strip_prefix("venda/p/").unwrap();
            let depois = Balanco::ler(&self.etcd.como_era("venda/e/", par.escrita_em)).unwrap();
            let vendidas = UltimoLote::ler(&par).unwrap().vendidas(nome, &depois);
            deduzidas.extend(vendidas.map(|vendidas| (vendidas.posicao, vendidas)));
        }
        deduzidas.into_values().collect()
    }
}

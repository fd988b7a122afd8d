//! O servidor que observa: uma thread por conexão, e uma mesa só, onde se anota o que cada uma pediu e se decide o que
//! responder. Não julga nada.
//!
//! O estoque que ele diz ter é de faz de conta: só acaba quando os usuários já compraram várias vezes, para que se
//! vejam alguns ciclos antes do esgotamento, e outros depois.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use protocolo::mensagem::AVISO;
use protocolo::terminal::abrir_thread;

use super::visto::{Conexao, Modo, Pedido, Resposta, Visto};
use crate::conversa::texto::comeco;

/// O estoque que se diz ter no começo.
const ESTOQUE: u64 = 1000;

/// Depois de quantas compras por usuário, em média, o estoque acaba.
const COMPRAS_ATE_ESGOTAR: usize = 6;

/// Em qual pedido de uma conexão lenta se demora: nem no primeiro ciclo, nem na compra.
const PEDIDO_LENTO: usize = 4;

/// Depois de quantas conexões se demora já no primeiro pedido.
const CONEXOES_COMUNS: usize = 12;

/// O que um cliente pode deixar sem dizer direito antes de se desistir de entendê-lo.
const SOBRA_MAXIMA: usize = 512;

/// O que a cena põe à prova.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cena {
    /// Vende, esgota e avisa.
    Vende,
    /// Na primeira compra, fecha todas as conexões.
    Fecha,
}

/// A mesa: o que se viu, e o que falta para continuar a responder.
#[derive(Debug)]
pub struct Mesa {
    cena: Cena,
    inicio: Instant,
    demora: Duration,
    anotado: Mutex<Anotado>,
}

#[derive(Debug, Default)]
struct Anotado {
    visto: Visto,
    /// Por onde se fala a cada conexão, enquanto ela dura.
    ligacoes: Vec<Option<TcpStream>>,
    compras: usize,
    /// Quantas já estiveram abertas ao mesmo tempo. Conta-se aqui, e não no que se viu, para que responder custe o mesmo
    /// com dez conexões e com mil.
    juntas: usize,
    encerrada: bool,
}

impl Mesa {
    /// Abre as portas para uma cena; a resposta lenta demora `demora`.
    ///
    /// # Errors
    ///
    /// O sistema não deu uma thread.
    pub fn abrir(portas: &[TcpListener], cena: Cena, demora: Duration) -> io::Result<Arc<Self>> {
        let inicio = Instant::now();
        let mesa = Arc::new(Mesa { cena, inicio, demora, anotado: Mutex::default() });
        for porta in portas {
            let (da_porta, porta) = (Arc::clone(&mesa), porta.try_clone()?);
            porta.set_nonblocking(true)?;
            abrir_thread("porta", move || da_porta.aceitar(&porta))?;
        }
        Ok(mesa)
    }

    /// Há quanto tempo a cena começou.
    pub fn agora(&self) -> Duration {
        self.inicio.elapsed()
    }

    /// Encerra a cena: fecha o que houver aberto, e devolve o que se viu.
    pub fn encerrar(&self) -> Visto {
        let mut anotado = self.trancar();
        anotado.encerrada = true;
        anotado.fechar_todas();
        Visto { duracao: self.agora(), ..anotado.visto.clone() }
    }

    /// Quando se fecharam todas as conexões, e se depois disso alguém voltou e pediu.
    pub fn fechou_e_voltou(&self) -> (Option<Duration>, bool) {
        let visto = &self.trancar().visto;
        let voltou =
            |quando| visto.conexoes.iter().any(|c| c.chegou > quando && !c.pedidos.is_empty());
        (visto.fechou_tudo, visto.fechou_tudo.is_some_and(voltou))
    }

    /// Alguma conexão ainda está aberta?
    pub fn ha_abertas(&self) -> bool {
        self.trancar().ligacoes.iter().any(Option::is_some)
    }

    fn trancar(&self) -> MutexGuard<'_, Anotado> {
        self.anotado.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn aceitar(self: &Arc<Self>, porta: &TcpListener) {
        while !self.trancar().encerrada {
            match porta.accept() {
                Ok((ligacao, _)) => {
                    let da_conexao = Arc::clone(self);
                    // Sem thread, a conexão se fecha, e o aluno vê um servidor que não pôde atendê-lo.
                    let _ = abrir_thread("conexão", move || da_conexao.atender(ligacao));
                }
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn atender(&self, mut ligacao: TcpStream) {
        let preparada = ligacao.set_nonblocking(false).and_then(|()| ligacao.set_nodelay(true));
        // Quem não lê o que se responde não prende os outros.
        let preparada = preparada
            .and_then(|()| ligacao.set_write_timeout(Some(Duration::from_secs(1))))
            .and_then(|()| ligacao.try_clone());
        let Ok(para_falar) = preparada else { return };
        let Some(indice) = self.trancar().chegou(self.agora(), para_falar) else { return };
        let (mut sobra, mut bytes) = (Vec::new(), [0; 1024]);
        loop {
            match ligacao.read(&mut bytes) {
                Ok(lidos @ 1..) => sobra.extend_from_slice(&bytes[..lidos]),
                Err(erro) if erro.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
            }
            while let Some(dito) = proximo(&mut sobra) {
                match dito {
                    Dito::Pedido { compra } => self.responder(indice, compra),
                    Dito::Estranho(texto) => self.trancar().estranhar(indice, &texto),
                }
            }
        }
        self.trancar().saiu(indice, self.agora());
    }

    fn responder(&self, indice: usize, compra: bool) {
        let quando = self.agora();
        let atrasado = {
            let conexao = &self.trancar().visto.conexoes[indice];
            // Quem abre uma conexão por ciclo nunca chega a tantos pedidos: as que vêm depois demoram logo.
            let qual = if indice < CONEXOES_COMUNS { PEDIDO_LENTO } else { 0 };
            conexao.modo == Modo::Lento && conexao.pedidos.len() == qual
        };
        if atrasado {
            thread::sleep(self.demora);
        }
        let mut anotado = self.trancar();
        let pedido =
            Pedido { compra, quando, respondido: None, resposta: Resposta::Esgotado, atrasado };
        anotado.visto.conexoes[indice].pedidos.push(pedido);
        if compra && self.cena == Cena::Fecha && anotado.visto.fechou_tudo.is_none() {
            anotado.visto.fechou_tudo = Some(self.agora());
            anotado.fechar_todas();
            return;
        }
        anotado.responder(indice, compra, self.inicio);
    }
}

impl Anotado {
    fn chegou(&mut self, agora: Duration, ligacao: TcpStream) -> Option<usize> {
        if self.encerrada {
            return None;
        }
        let indice = self.visto.conexoes.len();
        // Os modos especiais são minoria: o que se mede dos outros não depende deles.
        let modo = match indice % 4 {
            1 => Modo::SemFimDeLinha,
            3 => Modo::Lento,
            _ => Modo::Comum,
        };
        let porta = ligacao.local_addr().map_or(0, |endereco| endereco.port());
        self.visto.conexoes.push(Conexao { modo, porta, chegou: agora, ..Conexao::default() });
        self.ligacoes.push(Some(ligacao));
        self.juntas = self.juntas.max(self.ligacoes.iter().flatten().count());
        Some(indice)
    }

    fn saiu(&mut self, indice: usize, agora: Duration) {
        // A que fechamos já não está aqui, e não foi o aluno que saiu.
        if self.ligacoes[indice].take().is_some() {
            self.visto.conexoes[indice].saiu = Some(agora);
        }
    }

    fn fechar_todas(&mut self) {
        for ligacao in self.ligacoes.iter_mut().filter_map(Option::take) {
            let _ = ligacao.shutdown(Shutdown::Both);
        }
    }

    fn estranhar(&mut self, indice: usize, texto: &str) {
        self.visto.conexoes[indice].estranho.get_or_insert_with(|| comeco(texto));
        self.falar(indice, "ERRO: Comando desconhecido");
    }

    fn responder(&mut self, indice: usize, compra: bool, inicio: Instant) {
        let restam = ESTOQUE.saturating_sub(self.compras as u64).max(1);
        let acabou = self.visto.esgotou.is_some();
        self.compras += usize::from(compra);
        let ultima = !acabou && self.compras > COMPRAS_ATE_ESGOTAR * self.juntas;
        let resposta = match (compra, acabou) {
            (true, true) => Resposta::Esgotado,
            (true, false) => Resposta::Vendida(if ultima { 0 } else { restam - 1 }),
            (false, true) => Resposta::Estoque(0),
            (false, false) => Resposta::Estoque(restam),
        };
        let mut texto = match resposta {
            Resposta::Estoque(quanto) => format!("Estoque atual: {quanto}"),
            Resposta::Vendida(quanto) => format!("Compra realizada. Estoque restante: {quanto}"),
            Resposta::Esgotado => "ERRO: Produto esgotado".into(),
        };
        let esgotou = resposta == Resposta::Vendida(0);
        if esgotou {
            // De propósito em um envio só: o TCP pode juntar as duas, e o cliente tem de separá-las.
            texto = format!("{texto}\n{AVISO}");
            self.visto.esgotou = Some(inicio.elapsed());
            self.visto.conexoes[indice].aviso = self.visto.esgotou;
        }
        // O instante é o de antes do envio: o aluno não pode ter ouvido antes.
        let respondido = Some(inicio.elapsed());
        self.falar(indice, &texto);
        if let Some(pedido) = self.visto.conexoes[indice].pedidos.last_mut() {
            (pedido.resposta, pedido.respondido) = (resposta, respondido);
        }
        if esgotou {
            self.avisar(inicio, indice);
        }
    }

    fn avisar(&mut self, inicio: Instant, menos: usize) {
        for indice in (0..self.ligacoes.len()).filter(|indice| *indice != menos) {
            if self.ligacoes[indice].is_some() {
                self.visto.conexoes[indice].aviso = Some(inicio.elapsed());
                self.falar(indice, AVISO);
            }
        }
    }

    fn falar(&mut self, indice: usize, texto: &str) {
        let fim = match self.visto.conexoes[indice].modo {
            Modo::SemFimDeLinha => "",
            Modo::Comum | Modo::Lento => "\n",
        };
        if let Some(ligacao) = &mut self.ligacoes[indice] {
            // Se ele já se foi, a leitura o dirá.
            let _ = ligacao.write_all(format!("{texto}{fim}").as_bytes());
        }
    }
}

/// O que se entendeu do que chegou.
#[derive(Debug, PartialEq, Eq)]
enum Dito {
    Pedido { compra: bool },
    Estranho(String),
}

/// Tira do começo de `sobra` o próximo pedido inteiro, com ou sem fim de linha.
fn proximo(sobra: &mut Vec<u8>) -> Option<Dito> {
    let brancos = sobra.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0).count();
    sobra.drain(..brancos);
    let maiusculas = sobra.to_ascii_uppercase();
    for (verbo, compra) in [(&b"CONSULTAR"[..], false), (&b"COMPRAR"[..], true)] {
        if maiusculas.starts_with(verbo) {
            sobra.drain(..verbo.len());
            return Some(Dito::Pedido { compra });
        }
        if verbo.starts_with(&maiusculas) {
            return None;
        }
    }
    let linha = sobra.iter().position(|b| *b == b'\n');
    let corte = linha.or((sobra.len() > SOBRA_MAXIMA).then_some(sobra.len()))?;
    let texto = String::from_utf8_lossy(&sobra[..corte]).into_owned();
    sobra.drain(..corte);
    Some(Dito::Estranho(texto))
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn os_pedidos_se_entendem_com_ou_sem_fim_de_linha_e_colados() {
        let mut sobra = b"CONSULTAR\r\nCOMPRARcomprar\noi\nCOMP".to_vec();
        let ditos: Vec<Dito> = std::iter::from_fn(|| proximo(&mut sobra)).collect();
        let pedido = |compra| Dito::Pedido { compra };
        assert_eq!(ditos, [pedido(false), pedido(true), pedido(true), Dito::Estranho("oi".into())]);
        sobra.extend(b"RAR");
        assert_eq!(proximo(&mut sobra), Some(pedido(true)), "o resto chegou depois");
    }
}

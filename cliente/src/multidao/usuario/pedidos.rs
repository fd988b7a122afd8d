//! As compras numeradas (`--pedidos`): cada uma é um `PEDIDO id`, e quem cai sem resposta volta e pergunta pelo mesmo
//! id, até saber. Aqui está só o que muda na vida do usuário; quem tem o socket não sabe de nada disto.
//!
//! O id é o prefixo da execução, o usuário e o número da compra. O prefixo se sorteia sempre, também com `--semente`:
//! a semente repete decisões, e duas execuções com os mesmos ids no mesmo livro ouviriam as respostas da primeira.
//!
//! Nem todo servidor conhece PEDIDO. Quem responde a CONSULTAR e, do primeiro PEDIDO em diante, a nenhum, não o conhece:
//! insistir não adianta ([`Usuario::recepcao_do_pedido`]).
//!
//! De cada [`UM_A_CADA`] compras respondidas, uma se pergunta de novo, na mesma conexão: a resposta tem de ser a mesma.
//! Se a conexão cai aí, não se insiste: da compra já se sabe.

use std::sync::Arc;
use std::time::Duration;

use protocolo::{Comando, Id};

use super::{Fase, PRAZO_DA_RESPOSTA, Usuario};
use crate::conversa::desfecho::Desfecho;
use crate::historia::vivido::{Operacao, Pedido, Repetida};

/// Quanto se insiste em uma compra sem resposta, a contar da primeira vez que ela partiu; e em conectar, a contar da
/// primeira recusa. A última pergunta, feita antes disso, ainda tem o prazo de uma resposta.
pub const INSISTENCIA: Duration = Duration::from_secs(60);

/// De quantas em quantas compras respondidas se pergunta de novo por uma.
pub const UM_A_CADA: u32 = 20;

/// Depois da primeira queda se espera isto, e o dobro a cada outra, até o máximo.
const RECUO_MINIMO: Duration = Duration::from_millis(50);
const RECUO_MAXIMO: Duration = Duration::from_secs(1);

/// Como se soube que um servidor não conhece PEDIDO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recusa {
    /// Respondeu isto, que não é de quem o conhece.
    Disse(String),
    /// Nada respondeu, em [`PRAZO_DA_RESPOSTA`]: calou-se, ou fechou a conexão a cada vez que se perguntou.
    Calou,
}

/// Os pedidos de um usuário.
#[derive(Debug)]
pub(super) struct Numerador {
    prefixo: Arc<str>,
    /// Quantos ids já usou.
    feitos: u32,
    /// A última compra partiu e ainda se insiste nela.
    em_aberto: bool,
    /// A algum PEDIDO o servidor já disse que o estoque está fora de alcance: conhece-o, ainda que não conclua.
    entendido: bool,
    /// A última compra, já respondida, vai perguntar-se de novo, ou já se perguntou.
    repetindo: bool,
    /// Quando se perguntou de novo.
    repetida_em: Duration,
    /// Quedas seguidas, e desde quando.
    quedas: u32,
    desde: Option<Duration>,
}

impl Usuario {
    /// O mesmo usuário, com as compras numeradas a partir deste prefixo.
    pub fn com_pedidos(self, prefixo: Arc<str>) -> Self {
        let numerador = Numerador {
            prefixo,
            feitos: 0,
            em_aberto: false,
            entendido: false,
            repetindo: false,
            repetida_em: Duration::ZERO,
            quedas: 0,
            desde: None,
        };
        Usuario { numerador: Some(numerador), ..self }
    }

    /// O que se envia para comprar.
    pub(super) fn comando_da_compra(&self) -> Comando {
        let Some(numerador) = &self.numerador else { return Comando::Comprar };
        let ultimo = self.historia.operacoes.last().and_then(|o| o.pedido.as_ref());
        let id = match ultimo {
            Some(pedido) if numerador.em_aberto || numerador.repetindo => Some(pedido.id.clone()),
            _ => self.proximo_pedido().map(|pedido| pedido.id),
        };
        id.map_or(Comando::Comprar, Comando::Pedido)
    }

    fn proximo_pedido(&self) -> Option<Pedido> {
        let numerador = self.numerador.as_ref()?;
        let numero = numerador.feitos + 1;
        let id = format!("{}-{}-{numero}", numerador.prefixo, self.historia.usuario);
        Some(Pedido { id: Id::ler(id.as_bytes())?, numero, perguntas: 1, repetida: None })
    }

    /// A compra que vai partir tem um id novo, se são numeradas.
    pub(super) fn numerar(&mut self) -> Option<Box<Pedido>> {
        let pedido = self.proximo_pedido()?;
        if let Some(numerador) = &mut self.numerador {
            numerador.feitos = pedido.numero;
            numerador.em_aberto = true;
        }
        Some(Box::new(pedido))
    }

    /// O que vai partir é a mesma compra, outra vez? Então não há outra operação.
    pub(super) fn pergunta_de_novo(&mut self, agora: Duration) -> bool {
        let (conexao, servidor) = (self.conexao, self.qual());
        let Some(numerador) = &mut self.numerador else { return false };
        if numerador.repetindo {
            numerador.repetida_em = agora;
            return true;
        }
        let Some(operacao) = self.historia.operacoes.last_mut() else { return false };
        if !numerador.em_aberto {
            return false;
        }
        (operacao.conexao, operacao.servidor) = (conexao, servidor);
        if let Some(pedido) = &mut operacao.pedido {
            pedido.perguntas += 1;
        }
        true
    }

    /// A conexão se fez: falta saber de uma compra?
    pub(super) fn falta_saber_da_compra(&self) -> bool {
        self.numerador.as_ref().is_some_and(|numerador| numerador.em_aberto)
    }

    /// A resposta que chegou não conclui a compra: ou já se sabia dela, ou ainda não se sabe.
    pub(super) fn ainda_nao_conclui(&mut self, agora: Duration, desfecho: &Desfecho) -> bool {
        let usuario = self.historia.usuario;
        let escuta = Fase::Escutando { ate: agora.saturating_add(self.ciclo.escuta) };
        let Some(numerador) = &mut self.numerador else { return false };
        if !numerador.em_aberto {
            numerador.esquecer();
        }
        let Some(operacao) = self.historia.operacoes.last_mut().filter(|o| o.compra) else {
            return false;
        };
        if numerador.repetindo {
            numerador.repetindo = false;
            if let Some(pedido) = &mut operacao.pedido {
                let (enviada, servidor) = (numerador.repetida_em, operacao.servidor);
                let desfecho = desfecho.clone();
                pedido.repetida = Some(Repetida { servidor, enviada, chegou: agora, desfecho });
            }
            self.fase = escuta;
            return true;
        }
        // Nada foi vendido agora; mas da outra vez, cuja resposta se perdeu, pode ter sido.
        if !numerador.em_aberto || *desfecho != Desfecho::ForaDeAlcance {
            return false;
        }
        numerador.entendido = true;
        self.fase = match numerador.recuo(agora, operacao.enviada, usuario) {
            Some(ate) => Fase::Decidindo { ate },
            None => escuta,
        };
        true
    }

    /// A compra teve resposta. Pergunta-se de novo por ela?
    pub(super) fn concluiu_a_compra(&mut self, desfecho: &Desfecho) -> bool {
        let usuario = self.historia.usuario as u32;
        let Some(numerador) = &mut self.numerador else { return false };
        numerador.esquecer();
        let certa = desfecho.vendeu() || *desfecho == Desfecho::Recusado;
        let vez = usuario.wrapping_add(numerador.feitos).is_multiple_of(UM_A_CADA);
        numerador.repetindo = certa && vez;
        numerador.repetindo
    }

    /// Até quando se afastar depois de uma queda, se se insiste. Quem nada tem por saber só insiste em entrar, e só
    /// se já tinha conectado: um servidor que nunca abriu tem a espera dele. Uma conexão que nada respondeu é como uma
    /// que não se fez.
    pub(super) fn insiste_ate(&mut self, agora: Duration) -> Option<Duration> {
        let usuario = self.historia.usuario;
        let ultima = self.historia.conexoes.last();
        let ja_conectou = ultima.is_some();
        let nao_entrou = ultima.is_some_and(|p| p.respondida.is_none()) || self.recusado_por > 0;
        let numerador = self.numerador.as_mut()?;
        numerador.repetindo = false;
        let enviada = self.historia.operacoes.last().map(|operacao| operacao.enviada);
        let desde = match enviada.filter(|_| numerador.em_aberto) {
            Some(enviada) => enviada,
            None if nao_entrou && ja_conectou => *numerador.desde.get_or_insert(agora),
            None => return None,
        };
        let ate = numerador.recuo(agora, desde, usuario);
        if ate.is_some() {
            self.recusado_por = 0;
        }
        ate
    }

    /// Como o servidor recebeu o último pedido numerado: entendeu-o, ou não o conhece; `None` se ainda não se sabe. Só
    /// diz alguma coisa enquanto nenhum pedido, de ninguém, teve resposta.
    pub fn recepcao_do_pedido(&self) -> Option<Result<(), Recusa>> {
        let numerador = self.numerador.as_ref()?;
        let operacao = self.historia.operacoes.last().filter(|o| o.pedido.is_some())?;
        match &operacao.resposta {
            Some((_, Desfecho::Estranho(texto))) => Some(Err(Recusa::Disse(texto.clone()))),
            Some(_) => Some(Ok(())),
            None if numerador.entendido => Some(Ok(())),
            None => self.ficou_sem_resposta(operacao).then_some(Err(Recusa::Calou)),
        }
    }

    /// O prazo de uma resposta passou desde a primeira vez que se pediu, e a conexão em que se perguntou caiu. Quem não
    /// se deixa conectar pode só estar fora do ar.
    fn ficou_sem_resposta(&self, operacao: &Operacao) -> bool {
        let prazo = operacao.enviada.saturating_add(PRAZO_DA_RESPOSTA);
        self.historia.conexoes.last().is_some_and(|conexao| {
            conexao.numero == operacao.conexao
                && conexao.caiu
                && conexao.fechou.is_some_and(|quando| quando >= prazo)
        })
    }
}

impl Numerador {
    /// Até quando esperar antes de tentar de novo; `None`, e desiste, se já se insistiu o bastante. Os usuários, que
    /// caem juntos, não voltam todos no mesmo instante.
    fn recuo(&mut self, agora: Duration, desde: Duration, usuario: usize) -> Option<Duration> {
        if agora >= desde.saturating_add(INSISTENCIA) {
            self.esquecer();
            return None;
        }
        let recuo = (RECUO_MINIMO * (1 << self.quedas.min(5))).min(RECUO_MAXIMO);
        self.quedas += 1;
        Some(agora.saturating_add(recuo + recuo * (usuario % 16) as u32 / 16))
    }

    fn esquecer(&mut self) {
        (self.em_aberto, self.quedas, self.desde) = (false, 0, None);
    }
}

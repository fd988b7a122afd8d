//! O usuário simulado (§5): conecta, consulta, decide, compra, escuta, repete.
//!
//! Uma máquina de estados pura. Quem tem o socket pergunta o próximo passo ([`Usuario::avancar`]) e
//! conta o que aconteceu ([`Usuario::ouviu`], [`Usuario::nada_chegou`], [`Usuario::caiu`]...); o
//! tempo é um argumento.
//!
//! ```text
//!   Fora ──► Conectando ──► Pronto(CONSULTAR) ──► Esperando ──► Decidindo ──► Pronto(COMPRAR)
//!    ▲                          ▲                                                  │
//!    │ queda                    └────────────── Escutando ◄───── Esperando ◄───────┘
//!    └──────── Saindo ◄── último ciclo, --reconectar ─┘
//! ```
//!
//! Quem sai de uma conexão em que o estoque se esgotou, e ainda não ouviu o AVISO, fica por
//! [`ESPERA_DO_AVISO`] a contar do esgotamento: se fosse embora, ninguém saberia se ele veio. Que
//! esgotou, pode ter sido outro usuário quem viu ([`Usuario::soube_que_esgotou`]). Todos os que ficam
//! saem no mesmo instante, e por isso não adianta perguntar se já há quem fique.
//!
//! No laço aberto não há decisão, escuta nem ciclos por fazer: o que muda está em `usuario/aberto.rs`.
//!
//! Um AVISO é ouvido em qualquer estado. Uma queda custa o ciclo em que aconteceu: o usuário conta a
//! falha, deixa passar o tempo de uma decisão e volta, como faria uma pessoa. Se os servidores são vários, volta
//! ao seguinte da lista; e se não consegue conectar, passa logo ao seguinte, até ter tentado todos. Com as compras
//! numeradas ([`pedidos`]), uma queda sem resposta não custa o ciclo: pergunta-se de novo.

use std::time::Duration;

use protocolo::{Comando, Mensagem};

use crate::auditoria::ESPERA_DO_AVISO;
use crate::conversa::desfecho::Desfecho;
use crate::conversa::escuta::{Ouvida, Papel};
use crate::historia::vivido::{AVISOS_MAXIMOS, Conexao, Falha, Historia, Operacao, Qual};
use crate::multidao::evento::Evento;
use crate::multidao::fila::Vez;
use crate::multidao::roteiro::{Ciclo, Roteiro};

mod aberto;
pub mod pedidos;

/// Quanto se espera uma resposta, em tempo de relógio: nenhuma aceleração apressa o servidor. É o
/// que uma pessoa espera antes de desistir, e muito mais do que um servidor que funciona leva.
pub const PRAZO_DA_RESPOSTA: Duration = Duration::from_secs(10);

/// Quantas falhas um usuário conta: um servidor que fala sem parar não ocupa a memória do cliente.
const FALHAS_MAXIMAS: usize = 1000;

/// Quantas conexões um usuário lembra. Quem reconecta por horas esquece as antigas que não ouviram
/// AVISO algum: no máximo, deixa de acusar.
const CONEXOES_MAXIMAS: usize = 256;

/// O que fazer agora.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passo {
    /// Sem conexão (fechar a que houver), até este instante.
    Ausentar(Duration),
    /// Pedir uma conexão, e contar o resultado a [`Usuario::conectou`] ou [`Usuario::caiu`].
    Conectar,
    /// Enviar este comando, depois de contar a [`Usuario::vai_enviar`].
    Enviar(Comando),
    /// Ouvir o servidor, no máximo até este instante.
    Ouvir(Duration),
    /// Ouvir o servidor até este instante, e nem um pouco mais: é a hora marcada de um pedido.
    OuvirAteAHora(Duration),
    /// Livre, no laço aberto: pedir uma chegada, e contá-la a [`Usuario::atender`].
    Receber,
    /// Fechar a conexão: a simulação deste usuário acabou.
    Terminar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fase {
    Fora {
        ate: Duration,
    },
    Conectando {
        desde: Duration,
    },
    Pronto {
        compra: bool,
    },
    Esperando {
        prazo: Duration,
    },
    Decidindo {
        ate: Duration,
    },
    Escutando {
        ate: Duration,
    },
    Saindo {
        desde: Duration,
    },
    /// No laço aberto, à espera de uma chegada.
    Livre {
        compra: bool,
    },
    /// No laço aberto, com uma chegada na mão.
    Agendado {
        compra: bool,
        quando: Duration,
    },
    Fim,
}

/// Um usuário da multidão.
#[derive(Debug)]
pub struct Usuario {
    roteiro: Roteiro,
    ciclo: Ciclo,
    ciclos_gastos: u32,
    /// O número da conexão, a última que teve.
    conexao: u32,
    /// O servidor em que está, e quantos são.
    servidor: usize,
    servidores: usize,
    /// Quantos servidores seguidos não o receberam.
    recusado_por: usize,
    reconectar: bool,
    /// Com `--pedidos`, os ids.
    numerador: Option<pedidos::Numerador>,
    /// Atende chegadas, em vez de seguir o roteiro.
    aberto: bool,
    /// A chegada que tem na mão.
    vez: Option<Vez>,
    /// A hora da que não pôde levar.
    devolvida: Option<Duration>,
    fase: Fase,
    /// Quando alguém viu o estoque vazio pela primeira vez.
    esgotou: Option<Duration>,
    /// Já leu o estoque, ainda que em uma resposta fora de hora.
    entendeu: bool,
    historia: Historia,
    eventos: Vec<Evento>,
}

impl Usuario {
    /// O usuário de número `numero`, que chega em `chegada` e segue `roteiro`. Com `reconectar`,
    /// abre uma conexão por ciclo; sem, uma para todos.
    pub fn novo(numero: usize, mut roteiro: Roteiro, chegada: Duration, reconectar: bool) -> Self {
        let ciclo = roteiro.proximo_ciclo();
        Usuario {
            roteiro,
            ciclo,
            ciclos_gastos: 0,
            conexao: 0,
            servidor: 0,
            servidores: 1,
            recusado_por: 0,
            reconectar,
            numerador: None,
            aberto: false,
            vez: None,
            devolvida: None,
            fase: Fase::Fora { ate: chegada },
            esgotou: None,
            entendeu: false,
            historia: Historia { usuario: numero, ..Historia::default() },
            eventos: Vec::new(),
        }
    }

    /// O mesmo usuário, quando os servidores são `servidores`: começa no que lhe toca pelo número, e assim se sabe
    /// onde cada um está.
    pub fn entre(self, servidores: usize) -> Self {
        let servidores = servidores.max(1);
        let servidor = self.historia.usuario.saturating_sub(1) % servidores;
        Usuario { servidor, servidores, ..self }
    }

    /// O índice do servidor em que está, ou a que vai conectar.
    pub fn servidor(&self) -> usize {
        self.servidor
    }

    /// Já tem uma conexão com este servidor, e fica nele.
    pub fn fica_em(&mut self, servidor: usize) {
        self.servidor = servidor;
    }

    fn qual(&self) -> Qual {
        Qual::de(self.servidor, self.servidores)
    }

    /// O próximo passo. Repetir a pergunta sem que nada tenha acontecido repete a resposta.
    pub fn avancar(&mut self, agora: Duration) -> Passo {
        match self.fase {
            Fase::Fora { ate } if agora < ate => Passo::Ausentar(ate),
            Fase::Fora { .. } => {
                self.fase = Fase::Conectando { desde: agora };
                Passo::Conectar
            }
            Fase::Conectando { .. } => Passo::Conectar,
            Fase::Pronto { compra: true } => Passo::Enviar(self.comando_da_compra()),
            Fase::Pronto { compra: false } => Passo::Enviar(Comando::Consultar),
            Fase::Esperando { prazo: ate } | Fase::Decidindo { ate } | Fase::Escutando { ate } => {
                Passo::Ouvir(ate)
            }
            Fase::Livre { .. } => Passo::Receber,
            Fase::Agendado { quando, .. } => Passo::OuvirAteAHora(quando),
            Fase::Saindo { .. } => match self.fica_ate() {
                Some(ate) => Passo::Ouvir(ate),
                None => {
                    self.ir_embora(agora);
                    self.avancar(agora)
                }
            },
            Fase::Fim => Passo::Terminar,
        }
    }

    /// A conexão pedida se completou.
    pub fn conectou(&mut self, agora: Duration) {
        let Fase::Conectando { desde } = self.fase else { return };
        let servidor = self.qual();
        self.conexao += 1;
        self.recusado_por = 0;
        let conexoes = &mut self.historia.conexoes;
        if conexoes.len() >= CONEXOES_MAXIMAS {
            let calada = |p: &Conexao| p.avisos.is_empty() && p.outros_avisos.is_empty();
            conexoes.remove(conexoes.iter().position(calada).unwrap_or(0));
        }
        conexoes.push(Conexao {
            numero: self.conexao,
            servidor,
            pediu: desde,
            conectou: agora,
            ..Conexao::default()
        });
        self.eventos.push(Evento::Entrou);
        self.fase = if self.aberto {
            self.conectado_no_laco_aberto(agora)
        } else {
            Fase::Pronto { compra: self.falta_saber_da_compra() }
        };
    }

    /// O comando pedido vai partir.
    pub fn vai_enviar(&mut self, agora: Duration) {
        let Fase::Pronto { compra } = self.fase else { return };
        if !(compra && self.pergunta_de_novo(agora)) {
            let (conexao, servidor) = (self.conexao, self.qual());
            let marcada = self.vez.take().map(|vez| vez.quando);
            let pedido = if compra { self.numerar() } else { None };
            let (enviada, resposta) = (agora, None);
            let operacao =
                Operacao { conexao, servidor, compra, pedido, marcada, enviada, resposta };
            self.historia.operacoes.push(operacao);
        }
        self.fase = Fase::Esperando { prazo: agora.saturating_add(PRAZO_DA_RESPOSTA) };
    }

    /// Ouviu, e até agora nada mais chegou. Só então um prazo vale: se esta thread dormiu demais, o
    /// que já estava no socket conta antes do relógio.
    pub fn nada_chegou(&mut self, agora: Duration) {
        match self.fase {
            Fase::Esperando { prazo } if agora >= prazo => self.caiu(agora, Falha::SemResposta),
            Fase::Decidindo { ate } if agora >= ate => self.fase = Fase::Pronto { compra: true },
            Fase::Escutando { ate } if agora >= ate => self.terminar_ciclo(agora),
            Fase::Agendado { compra, quando } if agora >= quando => {
                self.fase = Fase::Pronto { compra };
            }
            Fase::Saindo { .. } if self.fica_ate().is_none_or(|ate| agora >= ate) => {
                self.ir_embora(agora);
            }
            _ => {}
        }
    }

    /// Chegou uma mensagem inteira, e a escuta disse o que ela é.
    pub fn ouviu(&mut self, ouvida: Ouvida) {
        if matches!(self.fase, Fase::Fora { .. } | Fase::Conectando { .. } | Fase::Fim) {
            // Conversa de uma conexão que já acabou.
            return;
        }
        let Ouvida { quando, texto, papel } = ouvida;
        match papel {
            Papel::Resposta(desfecho) => self.respondido(quando, desfecho, &texto),
            Papel::RespostaDeVerdade(desfecho) => {
                self.entendeu |= entendeu(&desfecho);
                self.historia.corrigir_a_ultima(quando, desfecho);
            }
            Papel::Aviso => {
                if let Some(conexao) = self.historia.conexoes.last_mut() {
                    let quais = conexao.anotados_como(&texto);
                    if quais.len() >= AVISOS_MAXIMOS {
                        return;
                    }
                    quais.push(quando);
                }
                self.eventos.push(Evento::Aviso(texto));
            }
            Papel::Lotado => self.caiu(quando, Falha::Lotado),
            Papel::NaoPedida { do_protocolo } => self.nao_pediu(quando, &texto, do_protocolo),
        }
    }

    /// O servidor disse algo que não responde a nada.
    fn nao_pediu(&mut self, quando: Duration, texto: &str, do_protocolo: bool) {
        let mensagem = Mensagem::interpretar(texto.as_bytes());
        self.entendeu |= matches!(mensagem, Mensagem::Estoque(_));
        // Se é uma resposta, ou é a anterior de novo, ou era de outro.
        let desta = self.historia.operacoes.last().filter(|o| o.conexao == self.conexao);
        let igual_a_anterior = desta.is_some_and(|operacao| {
            let resposta = operacao.resposta.as_ref();
            resposta.is_some_and(|(_, d)| *d == Desfecho::de(operacao.compra, &mensagem))
        });
        match igual_a_anterior {
            true => self.historia.repetidas += 1,
            _ if mensagem.e_resposta() => self.historia.nao_pedidas += 1,
            _ => {}
        }
        self.historia.anotar_nao_pedida(quando, texto, do_protocolo);
        self.falhou(quando, Falha::ForaDeHora);
    }

    fn respondido(&mut self, agora: Duration, desfecho: Desfecho, texto: &str) {
        let Fase::Esperando { .. } = self.fase else { return };
        if self.ainda_nao_conclui(agora, &desfecho) {
            return;
        }
        let Some(operacao) = self.historia.operacoes.last_mut() else { return };
        let compra = operacao.compra;
        let comando = if compra { Comando::Comprar } else { Comando::Consultar };
        let enviada = operacao.enviada;
        // Um texto que já estava chegando quando o pedido partiu pode terminar agora: o tempo não volta.
        let agora = agora.max(enviada);
        operacao.resposta = Some((agora, desfecho.clone()));
        if let Some(conexao) = self.historia.conexoes.last_mut() {
            conexao.respondida.get_or_insert(agora);
        }
        let mensagem = Mensagem::interpretar(texto.as_bytes());
        self.eventos.push(Evento::Troca(comando, mensagem, agora - enviada));
        self.entendeu |= entendeu(&desfecho);
        match &desfecho {
            Desfecho::Leu(_) | Desfecho::LeuSemNumero | Desfecho::ForaDeAlcance => {}
            Desfecho::Comprou(_) | Desfecho::ComprouSemNumero => {
                self.eventos.push(Evento::Comprou);
            }
            Desfecho::Recusado => self.eventos.push(Evento::Recusado),
            Desfecho::Estranho(_) => {
                if let Some(conexao) = self.historia.conexoes.last_mut() {
                    conexao.dessincronizou(enviada);
                }
                self.falhou(agora, Falha::RespostaEstranha);
            }
        }
        self.fase = if self.aberto {
            self.respondido_no_laco_aberto(compra, &desfecho)
        } else if compra && self.concluiu_a_compra(&desfecho) {
            Fase::Pronto { compra: true }
        } else if compra {
            Fase::Escutando { ate: agora.saturating_add(self.ciclo.escuta) }
        } else {
            Fase::Decidindo { ate: agora.saturating_add(self.ciclo.decisao) }
        };
    }

    /// A conexão não se fez ou se perdeu. Quem não consegue conectar a nenhum servidor desiste; quem perdeu a
    /// conexão perde o ciclo e volta depois do tempo de uma decisão, ao servidor seguinte. Quem já não tinha conexão
    /// não cai: é o eco de uma queda já contada.
    pub fn caiu(&mut self, agora: Duration, falha: Falha) {
        match self.fase {
            Fase::Fora { .. } | Fase::Fim => return,
            // Já tinha feito tudo: só esperava o AVISO.
            Fase::Saindo { .. } => return self.ir_embora(agora),
            _ => {}
        }
        let nao_entrou = matches!(falha, Falha::SemConexao(_));
        self.falhou(agora, falha);
        if !nao_entrou && let Some(conexao) = self.historia.conexoes.last_mut() {
            conexao.caiu = true;
        }
        self.deixar_conexao(agora);
        self.servidor = (self.servidor + 1) % self.servidores;
        self.recusado_por += usize::from(nao_entrou);
        let desiste = self.recusado_por >= self.servidores;
        if nao_entrou && !desiste {
            self.fase = Fase::Fora { ate: agora };
            return;
        }
        if self.aberto {
            self.fase = self.caiu_no_laco_aberto(agora, nao_entrou);
            return;
        }
        if let Some(ate) = self.insiste_ate(agora) {
            self.fase = Fase::Fora { ate };
            return;
        }
        self.ciclos_gastos += 1;
        self.fase = if desiste || self.ciclos_gastos >= self.roteiro.ciclos() {
            Fase::Fim
        } else {
            self.ciclo = self.roteiro.proximo_ciclo();
            Fase::Fora { ate: agora.saturating_add(self.ciclo.decisao) }
        };
    }

    /// Já esteve conectado alguma vez?
    pub fn ja_conectou(&self) -> bool {
        !self.historia.conexoes.is_empty()
    }

    /// A simulação foi interrompida: o que estiver em curso fica sem resposta.
    pub fn interromper(&mut self, agora: Duration) {
        if let Fase::Saindo { .. } = self.fase {
            self.ir_embora(agora);
        }
        self.deixar_conexao(agora);
        self.fase = Fase::Fim;
    }

    /// O estoque já estava vazio neste instante: alguém o viu.
    pub fn soube_que_esgotou(&mut self, quando: Duration) {
        self.esgotou = Some(self.esgotou.map_or(quando, |antes| antes.min(quando)));
    }

    /// Quando a última resposta mostrou o estoque vazio, se mostrou.
    pub fn viu_esgotar(&self) -> Option<Duration> {
        let (quando, desfecho) = self.historia.operacoes.last()?.resposta.as_ref()?;
        desfecho.esgotou().then_some(*quando)
    }

    /// Já leu o estoque, ou ouviu que está fora de alcance: o servidor entende como ele fala.
    pub fn entendeu(&self) -> bool {
        self.entendeu
    }

    /// O último pedido já teve resposta, ainda que não se entenda?
    pub fn ja_teve_resposta(&self) -> bool {
        self.historia.operacoes.last().is_some_and(|operacao| operacao.resposta.is_some())
    }

    /// Até quando fica à espera do AVISO, se esta conexão o merece e ele ainda não veio.
    fn fica_ate(&self) -> Option<Duration> {
        let (esgotou, conexao) = (self.esgotou?, self.historia.conexoes.last()?);
        let conhecida = conexao.respondida.is_some_and(|quando| quando < esgotou);
        let calada = conexao.avisos.is_empty() && conexao.outros_avisos.is_empty();
        (conhecida && calada).then(|| esgotou.saturating_add(ESPERA_DO_AVISO))
    }

    /// Deixa a conexão em que já não tinha o que fazer.
    fn ir_embora(&mut self, agora: Duration) {
        let Fase::Saindo { desde } = self.fase else { return };
        self.historia.espera += agora.saturating_sub(desde);
        self.deixar_conexao(agora);
        let acabou = self.aberto || self.ciclos_gastos >= self.roteiro.ciclos();
        self.fase = if acabou { Fase::Fim } else { Fase::Fora { ate: agora } };
    }

    fn terminar_ciclo(&mut self, agora: Duration) {
        self.historia.ciclos += 1;
        self.ciclos_gastos += 1;
        self.eventos.push(Evento::Ciclo);
        if self.ciclos_gastos >= self.roteiro.ciclos() {
            self.fase = Fase::Saindo { desde: agora };
            return;
        }
        self.ciclo = self.roteiro.proximo_ciclo();
        self.fase = if self.reconectar {
            Fase::Saindo { desde: agora }
        } else {
            Fase::Pronto { compra: false }
        };
    }

    fn deixar_conexao(&mut self, agora: Duration) {
        if let Some(conexao) = self.historia.conexoes.last_mut().filter(|p| p.fechou.is_none()) {
            conexao.fechou = Some(agora);
            self.eventos.push(Evento::Saiu);
        }
    }

    fn falhou(&mut self, agora: Duration, falha: Falha) {
        if self.historia.falhas.len() >= FALHAS_MAXIMAS {
            return;
        }
        self.historia.falhas.push((agora, falha.clone()));
        self.eventos.push(Evento::Falhou(falha));
    }

    /// Entrega as operações mais antigas, se passaram de `lote` e nenhuma espera resposta. A última fica: a resposta de
    /// verdade a ela ainda pode chegar.
    pub fn entregar(&mut self, lote: usize) -> Option<Vec<Operacao>> {
        let operacoes = &mut self.historia.operacoes;
        let entrega = operacoes.len() > lote && !matches!(self.fase, Fase::Esperando { .. });
        entrega.then(|| operacoes.drain(..operacoes.len() - 1).collect())
    }

    /// Os eventos desde a última vez que se perguntou.
    pub fn eventos(&mut self) -> impl Iterator<Item = Evento> + '_ {
        self.eventos.drain(..)
    }

    /// A história, completa depois de [`Passo::Terminar`], menos o que já foi entregue. Terminou `agora`.
    pub fn historia(self, agora: Duration) -> Historia {
        Historia { terminou: agora, ..self.historia }
    }
}

/// A resposta mostra que o servidor entendeu um CONSULTAR?
fn entendeu(desfecho: &Desfecho) -> bool {
    matches!(desfecho, Desfecho::Leu(_) | Desfecho::LeuSemNumero | Desfecho::ForaDeAlcance)
}

#[cfg(test)]
mod testes;

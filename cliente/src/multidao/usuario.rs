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
//! Um AVISO é ouvido em qualquer estado. Uma queda custa o ciclo em que aconteceu: o usuário conta a
//! falha, deixa passar o tempo de uma decisão e volta, como faria uma pessoa.

use std::time::Duration;

use protocolo::{Comando, Mensagem};

use crate::auditoria::ESPERA_DO_AVISO;
use crate::conversa::desfecho::Desfecho;
use crate::conversa::escuta::{Ouvida, Papel};
use crate::historia::vivido::{AVISOS_MAXIMOS, Conexao, Falha, Historia, Operacao};
use crate::multidao::evento::Evento;
use crate::multidao::roteiro::{Ciclo, Roteiro};

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
    /// Fechar a conexão: a simulação deste usuário acabou.
    Terminar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fase {
    Fora { ate: Duration },
    Conectando { desde: Duration },
    Pronto { compra: bool },
    Esperando { prazo: Duration },
    Decidindo { ate: Duration },
    Escutando { ate: Duration },
    Saindo { desde: Duration },
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
    reconectar: bool,
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
            reconectar,
            fase: Fase::Fora { ate: chegada },
            esgotou: None,
            entendeu: false,
            historia: Historia { usuario: numero, ..Historia::default() },
            eventos: Vec::new(),
        }
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
            Fase::Pronto { compra: true } => Passo::Enviar(Comando::Comprar),
            Fase::Pronto { compra: false } => Passo::Enviar(Comando::Consultar),
            Fase::Esperando { prazo: ate } | Fase::Decidindo { ate } | Fase::Escutando { ate } => {
                Passo::Ouvir(ate)
            }
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
        self.conexao += 1;
        let conexoes = &mut self.historia.conexoes;
        if conexoes.len() >= CONEXOES_MAXIMAS {
            let calada = |p: &Conexao| p.avisos.is_empty() && p.outros_avisos.is_empty();
            conexoes.remove(conexoes.iter().position(calada).unwrap_or(0));
        }
        conexoes.push(Conexao {
            numero: self.conexao,
            pediu: desde,
            conectou: agora,
            ..Conexao::default()
        });
        self.eventos.push(Evento::Entrou);
        self.fase = Fase::Pronto { compra: false };
    }

    /// O comando pedido vai partir.
    pub fn vai_enviar(&mut self, agora: Duration) {
        let Fase::Pronto { compra } = self.fase else { return };
        let conexao = self.conexao;
        self.historia.operacoes.push(Operacao { conexao, compra, enviada: agora, resposta: None });
        self.fase = Fase::Esperando { prazo: agora.saturating_add(PRAZO_DA_RESPOSTA) };
    }

    /// Ouviu, e até agora nada mais chegou. Só então um prazo vale: se esta thread dormiu demais, o
    /// que já estava no socket conta antes do relógio.
    pub fn nada_chegou(&mut self, agora: Duration) {
        match self.fase {
            Fase::Esperando { prazo } if agora >= prazo => self.caiu(agora, Falha::SemResposta),
            Fase::Decidindo { ate } if agora >= ate => self.fase = Fase::Pronto { compra: true },
            Fase::Escutando { ate } if agora >= ate => self.terminar_ciclo(agora),
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
                self.entendeu |= matches!(desfecho, Desfecho::Leu(_) | Desfecho::LeuSemNumero);
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
        match desfecho {
            Desfecho::Leu(_) | Desfecho::LeuSemNumero => self.entendeu = true,
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
        self.fase = if compra {
            Fase::Escutando { ate: agora.saturating_add(self.ciclo.escuta) }
        } else {
            Fase::Decidindo { ate: agora.saturating_add(self.ciclo.decisao) }
        };
    }

    /// A conexão não se fez ou se perdeu. Quem não consegue nem conectar desiste; quem perdeu a
    /// conexão perde o ciclo e volta depois do tempo de uma decisão. Quem já não tinha conexão não cai:
    /// é o eco de uma queda já contada.
    pub fn caiu(&mut self, agora: Duration, falha: Falha) {
        match self.fase {
            Fase::Fora { .. } | Fase::Fim => return,
            // Já tinha feito tudo: só esperava o AVISO.
            Fase::Saindo { .. } => return self.ir_embora(agora),
            _ => {}
        }
        let desiste = matches!(falha, Falha::SemConexao(_));
        self.falhou(agora, falha);
        self.deixar_conexao(agora);
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

    /// Já leu o estoque: o servidor entende como ele fala.
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
        let acabou = self.ciclos_gastos >= self.roteiro.ciclos();
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

#[cfg(test)]
mod testes {
    use super::*;
    use crate::conversa::escuta::{Escuta, Estilo};
    use crate::multidao::roteiro::Regras;
    use crate::opcoes::Faixa;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    impl Usuario {
        /// Ouve esta mensagem pela escuta de verdade, sozinha em uma conexão nova.
        fn recebeu(&mut self, agora: Duration, mensagem: Mensagem) {
            let mut escuta = Escuta::default();
            if let Fase::Esperando { .. } = self.fase {
                escuta.pediu(self.historia.operacoes.last().is_some_and(|o| o.compra));
            }
            let estilo = Estilo::default();
            let linha = format!("{mensagem}\n");
            let ouvidas = escuta.receber(agora, linha.as_bytes(), &estilo);
            for ouvida in ouvidas.into_iter().chain(escuta.fim(&estilo)) {
                self.ouviu(ouvida);
            }
        }
    }

    /// Um usuário de decisões fixas: decide em 1 s, escuta por 5 s.
    fn usuario(ciclos: u32, reconectar: bool) -> Usuario {
        let fixa = |valor| Faixa { de: valor, ate: valor };
        let regras = Regras {
            semente: 1,
            ciclos: Faixa { de: ciclos, ate: ciclos },
            decisao: fixa(ms(1000)),
            escuta: fixa(ms(5000)),
            acelerar: 1.0,
        };
        Usuario::novo(1, Roteiro::novo(regras, 1), Duration::ZERO, reconectar)
    }

    /// Anda até o usuário estar conectado e ter consultado, com a resposta `estoque` aos `agora`.
    fn consultar(usuario: &mut Usuario, agora: Duration, estoque: i128) {
        assert_eq!(usuario.avancar(agora), Passo::Enviar(Comando::Consultar));
        usuario.vai_enviar(agora);
        assert!(matches!(usuario.avancar(agora), Passo::Ouvir(_)));
        usuario.recebeu(agora, Mensagem::Estoque(estoque));
    }

    fn conectar(usuario: &mut Usuario, agora: Duration) {
        assert_eq!(usuario.avancar(agora), Passo::Conectar);
        usuario.conectou(agora);
    }

    /// Ouve até `agora` sem que nada chegue.
    fn silencio(usuario: &mut Usuario, agora: Duration) -> Passo {
        usuario.nada_chegou(agora);
        usuario.avancar(agora)
    }

    #[test]
    fn um_ciclo_inteiro_na_ordem_e_nos_tempos_da_atividade() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        consultar(&mut ana, ms(10), 10);
        assert_eq!(ana.avancar(ms(10)), Passo::Ouvir(ms(1010)));
        assert_eq!(silencio(&mut ana, ms(1009)), Passo::Ouvir(ms(1010)));
        assert_eq!(silencio(&mut ana, ms(1010)), Passo::Enviar(Comando::Comprar));
        ana.vai_enviar(ms(1010));
        ana.recebeu(ms(1020), Mensagem::Compra { restante: 9 });
        assert_eq!(ana.avancar(ms(1020)), Passo::Ouvir(ms(6020)));
        assert_eq!(silencio(&mut ana, ms(6020)), Passo::Terminar);

        let historia = ana.historia(ms(9000));
        assert_eq!(historia.ciclos, 1);
        assert_eq!(
            historia.operacoes,
            [
                Operacao {
                    conexao: 1,
                    compra: false,
                    enviada: ms(10),
                    resposta: Some((ms(10), Desfecho::Leu(10))),
                },
                Operacao {
                    conexao: 1,
                    compra: true,
                    enviada: ms(1010),
                    resposta: Some((ms(1020), Desfecho::Comprou(9))),
                },
            ]
        );
        assert_eq!(historia.conexoes[0].fechou, Some(ms(6020)));
    }

    #[test]
    fn o_aviso_e_ouvido_decidindo_esperando_e_escutando() {
        let mut ana = usuario(1, false);
        let aviso = || Mensagem::Aviso("AVISO: acabou".into());
        conectar(&mut ana, ms(0));
        consultar(&mut ana, ms(0), 1);
        ana.recebeu(ms(500), aviso());
        assert_eq!(ana.avancar(ms(500)), Passo::Ouvir(ms(1000)), "o aviso não apressa a decisão");
        assert_eq!(silencio(&mut ana, ms(1000)), Passo::Enviar(Comando::Comprar));
        ana.vai_enviar(ms(1000));
        ana.recebeu(ms(1001), aviso());
        ana.recebeu(ms(1002), Mensagem::Esgotado);
        ana.recebeu(ms(1003), aviso());
        assert_eq!(ana.historia.conexoes[0].avisos, [ms(500), ms(1001), ms(1003)]);
        assert_eq!(ana.historia.operacoes[1].resposta, Some((ms(1002), Desfecho::Recusado)));
        assert!(ana.historia.falhas.is_empty());
    }

    #[test]
    fn uma_conexao_para_todos_os_ciclos_ou_uma_por_ciclo() {
        for (reconectar, conexoes) in [(false, 1), (true, 3)] {
            let mut ana = usuario(3, reconectar);
            let mut agora = ms(0);
            let mut terminou = false;
            for _ in 0..100 {
                match ana.avancar(agora) {
                    Passo::Ausentar(ate) => agora = ate,
                    Passo::Ouvir(ate) => {
                        agora = ate;
                        ana.nada_chegou(agora);
                    }
                    Passo::Conectar => ana.conectou(agora),
                    Passo::Enviar(Comando::Consultar) => {
                        ana.vai_enviar(agora);
                        ana.recebeu(agora, Mensagem::Estoque(5));
                    }
                    Passo::Enviar(_) => {
                        ana.vai_enviar(agora);
                        ana.recebeu(agora, Mensagem::Esgotado);
                    }
                    Passo::Terminar => terminou = true,
                }
            }
            assert!(terminou);
            assert_eq!((agora, ana.historia.ciclos), (ms(3 * 6000), 3));
            assert_eq!(ana.historia.conexoes.len(), conexoes);
            assert!(ana.historia.conexoes.iter().all(|p| p.fechou.is_some()));
        }
    }

    #[test]
    fn uma_queda_custa_o_ciclo_e_o_usuario_volta() {
        let mut ana = usuario(2, false);
        conectar(&mut ana, ms(0));
        consultar(&mut ana, ms(0), 5);
        ana.caiu(ms(100), Falha::Fechada);
        assert_eq!(ana.avancar(ms(100)), Passo::Ausentar(ms(1100)));
        conectar(&mut ana, ms(1100));
        consultar(&mut ana, ms(1100), 5);
        ana.caiu(ms(1200), Falha::Fechada);
        assert_eq!(ana.avancar(ms(1200)), Passo::Terminar, "os dois ciclos se foram");
        assert_eq!((ana.historia.ciclos, ana.historia.falhas.len()), (0, 2));
    }

    #[test]
    fn quem_nao_conecta_desiste() {
        let mut ana = usuario(5, false);
        assert_eq!(ana.avancar(ms(0)), Passo::Conectar);
        ana.caiu(ms(0), Falha::SemConexao("recusada".into()));
        assert_eq!(ana.avancar(ms(0)), Passo::Terminar);
    }

    #[test]
    fn sem_resposta_no_prazo_a_operacao_fica_em_aberto() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        assert_eq!(ana.avancar(ms(0)), Passo::Enviar(Comando::Consultar));
        ana.vai_enviar(ms(0));
        assert_eq!(ana.avancar(ms(0)), Passo::Ouvir(PRAZO_DA_RESPOSTA));
        assert_eq!(silencio(&mut ana, PRAZO_DA_RESPOSTA), Passo::Terminar);
        assert_eq!(ana.historia.operacoes[0].resposta, None);
        assert_eq!(ana.historia.falhas, [(PRAZO_DA_RESPOSTA, Falha::SemResposta)]);
        // A resposta que chega tarde é conversa de uma conexão que já acabou.
        ana.recebeu(PRAZO_DA_RESPOSTA, Mensagem::Estoque(1));
        assert_eq!(ana.historia.operacoes[0].resposta, None);
    }

    #[test]
    fn a_resposta_que_ja_estava_no_socket_conta_antes_do_relogio() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        assert_eq!(ana.avancar(ms(0)), Passo::Enviar(Comando::Consultar));
        ana.vai_enviar(ms(0));
        // A thread dormiu muito além do prazo; antes de desistir, ainda ouve.
        let tarde = PRAZO_DA_RESPOSTA * 2;
        assert_eq!(ana.avancar(tarde), Passo::Ouvir(PRAZO_DA_RESPOSTA));
        ana.recebeu(tarde, Mensagem::Estoque(1));
        assert!(ana.historia.falhas.is_empty());
    }

    #[test]
    fn um_aviso_de_outra_coisa_e_evento_mas_nao_testemunho() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        ana.recebeu(ms(1), Mensagem::Aviso("AVISO: restam 3".into()));
        assert!(ana.historia.conexoes[0].avisos.is_empty());
        assert!(ana.eventos().any(|n| n == Evento::Aviso("AVISO: restam 3".into())));
    }

    #[test]
    fn o_fim_depois_de_lotado_nao_e_outra_falha() {
        let mut ana = usuario(2, false);
        conectar(&mut ana, ms(0));
        ana.recebeu(ms(1), Mensagem::Lotado);
        ana.caiu(ms(1), Falha::Fechada);
        assert_eq!(ana.historia.falhas, [(ms(1), Falha::Lotado)]);
    }

    #[test]
    fn respostas_trocadas_e_fora_de_hora_sao_falhas_e_a_vida_segue() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        assert_eq!(ana.avancar(ms(0)), Passo::Enviar(Comando::Consultar));
        ana.vai_enviar(ms(0));
        ana.recebeu(ms(1), Mensagem::Compra { restante: 3 });
        ana.recebeu(ms(2), Mensagem::Outra("oi".into()));
        let falhas: Vec<_> = ana.historia.falhas.iter().map(|(_, falha)| falha.clone()).collect();
        assert_eq!(falhas, [Falha::RespostaEstranha, Falha::ForaDeHora]);
        assert_eq!(ana.avancar(ms(2)), Passo::Ouvir(ms(1001)));
    }

    #[test]
    fn lotado_e_uma_queda() {
        let mut ana = usuario(2, false);
        conectar(&mut ana, ms(0));
        assert_eq!(ana.avancar(ms(0)), Passo::Enviar(Comando::Consultar));
        ana.vai_enviar(ms(0));
        ana.recebeu(ms(1), Mensagem::Lotado);
        assert_eq!(ana.avancar(ms(1)), Passo::Ausentar(ms(1001)));
        assert_eq!(ana.historia.falhas, [(ms(1), Falha::Lotado)]);
    }

    #[test]
    fn interromper_deixa_a_historia_em_ordem() {
        let mut ana = usuario(2, false);
        conectar(&mut ana, ms(0));
        consultar(&mut ana, ms(0), 5);
        ana.interromper(ms(300));
        assert_eq!(ana.avancar(ms(300)), Passo::Terminar);
        let historia = ana.historia(ms(9000));
        assert_eq!(historia.conexoes[0].fechou, Some(ms(300)));
        assert!(historia.falhas.is_empty());
    }

    /// Leva o usuário, que já conhece o servidor, até o fim da última escuta.
    fn ate_a_ultima_escuta(usuario: &mut Usuario, comprou: Mensagem) {
        conectar(usuario, ms(0));
        consultar(usuario, ms(10), 1);
        assert_eq!(silencio(usuario, ms(1010)), Passo::Enviar(Comando::Comprar));
        usuario.vai_enviar(ms(1010));
        usuario.recebeu(ms(1020), comprou);
        usuario.nada_chegou(ms(6020));
    }

    const AVISO: fn() -> Mensagem = || Mensagem::Aviso("AVISO: acabou".into());

    #[test]
    fn quem_ia_embora_fica_ate_o_aviso_vir() {
        for reconectar in [false, true] {
            let mut ana = usuario(if reconectar { 2 } else { 1 }, reconectar);
            ate_a_ultima_escuta(&mut ana, Mensagem::Esgotado);
            // Outro usuário viu o estoque acabar quase no fim da escuta desta.
            ana.soube_que_esgotou(ms(5000));
            assert_eq!(ana.avancar(ms(6020)), Passo::Ouvir(ms(5000) + ESPERA_DO_AVISO));
            assert_eq!(silencio(&mut ana, ms(6500)), Passo::Ouvir(ms(8000)), "e continua");
            ana.recebeu(ms(6600), AVISO());
            // Com --reconectar, a próxima conexão vem em seguida.
            let depois = if reconectar { Passo::Conectar } else { Passo::Terminar };
            assert_eq!(ana.avancar(ms(6600)), depois);
            let historia = ana.historia(ms(6600));
            assert_eq!((historia.espera, historia.ciclos), (ms(580), 1));
            assert_eq!(historia.conexoes[0].fechou, Some(ms(6600)));
        }
    }

    #[test]
    fn quem_espera_o_aviso_desiste_e_so_depois_de_olhar_o_socket() {
        let mut ana = usuario(1, false);
        ate_a_ultima_escuta(&mut ana, Mensagem::Esgotado);
        ana.soube_que_esgotou(ms(5000));
        // A thread dormiu além da espera: o que já estava no socket conta antes do relógio.
        assert_eq!(ana.avancar(ms(9500)), Passo::Ouvir(ms(8000)));
        assert_eq!(silencio(&mut ana, ms(9500)), Passo::Terminar);
        assert_eq!(ana.historia(ms(9500)).espera, ms(3480));
    }

    #[test]
    fn nao_espera_quem_ja_ouviu_quem_chegou_depois_nem_quem_nao_sabe_de_esgotamento() {
        let sem_saber = |_: &mut Usuario| {};
        let ja_ouviu = |ana: &mut Usuario| ana.recebeu(ms(5001), AVISO());
        let outras_palavras =
            |ana: &mut Usuario| ana.recebeu(ms(5001), Mensagem::Aviso("AVISO: fim".into()));
        let chegou_depois = |ana: &mut Usuario| ana.soube_que_esgotou(ms(10));
        for antes in
            [&sem_saber as &dyn Fn(&mut Usuario), &ja_ouviu, &outras_palavras, &chegou_depois]
        {
            let mut ana = usuario(1, false);
            ate_a_ultima_escuta(&mut ana, Mensagem::Esgotado);
            antes(&mut ana);
            if ana.historia.conexoes[0].avisos.len() + ana.historia.conexoes[0].outros_avisos.len()
                > 0
            {
                ana.soube_que_esgotou(ms(5000));
            }
            assert_eq!(ana.avancar(ms(6020)), Passo::Terminar);
            assert_eq!(ana.historia(ms(6020)).espera, ms(0));
        }
    }

    #[test]
    fn a_queda_de_quem_so_esperava_o_aviso_nao_e_falha_nem_custa_um_ciclo() {
        let mut ana = usuario(1, false);
        ate_a_ultima_escuta(&mut ana, Mensagem::Esgotado);
        ana.soube_que_esgotou(ms(5000));
        assert!(matches!(ana.avancar(ms(6020)), Passo::Ouvir(_)));
        ana.caiu(ms(7000), Falha::Fechada);
        assert_eq!(ana.avancar(ms(7000)), Passo::Terminar);
        let historia = ana.historia(ms(7000));
        assert_eq!((historia.ciclos, historia.falhas.len(), historia.espera), (1, 0, ms(980)));
    }

    #[test]
    fn a_resposta_repetida_e_a_de_outro_se_contam_a_parte() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        consultar(&mut ana, ms(0), 5);
        ana.recebeu(ms(1), Mensagem::Estoque(5));
        ana.recebeu(ms(2), Mensagem::Esgotado);
        ana.recebeu(ms(3), Mensagem::Outra("oi".into()));
        assert_eq!((ana.historia.repetidas, ana.historia.nao_pedidas), (1, 1));
        assert_eq!(ana.historia.falhas.len(), 3);
    }

    /// Ouve uma resposta que não se entende e, mais tarde, a de verdade.
    fn responder_tarde(usuario: &mut Usuario, agora: Duration, de_verdade: Desfecho) {
        let ouvida = |quando, papel| Ouvida { quando, texto: "Bom dia!".into(), papel };
        let estranha = Papel::Resposta(Desfecho::Estranho("Bom dia!".into()));
        usuario.ouviu(ouvida(agora, estranha));
        assert_eq!(usuario.historia.falhas, [(agora, Falha::RespostaEstranha)]);
        assert_eq!(usuario.entregar(2), None, "a última espera pela de verdade");
        usuario.ouviu(ouvida(agora + ms(1), Papel::RespostaDeVerdade(de_verdade)));
    }

    #[test]
    fn a_resposta_de_verdade_toma_o_lugar_da_suposta_e_desfaz_a_falha() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        ana.vai_enviar(ms(10));
        responder_tarde(&mut ana, ms(20), Desfecho::Leu(10));
        assert!(ana.entendeu());
        let historia = ana.historia(ms(30));
        assert_eq!(historia.operacoes[0].resposta, Some((ms(21), Desfecho::Leu(10))));
        assert_eq!(historia.falhas, []);
    }

    #[test]
    fn a_ultima_operacao_de_um_lote_ainda_se_corrige() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        consultar(&mut ana, ms(10), 10);
        silencio(&mut ana, ms(1010));
        ana.vai_enviar(ms(1010));
        responder_tarde(&mut ana, ms(1020), Desfecho::Comprou(9));
        let entregues = ana.entregar(1).unwrap();
        assert_eq!(entregues.len(), 1);
        assert!(!entregues[0].compra);
        let resposta = ana.historia(ms(1030)).operacoes.remove(0).resposta;
        assert_eq!(resposta, Some((ms(1021), Desfecho::Comprou(9))));
    }

    #[test]
    fn quem_ve_o_estoque_vazio_pode_dizer_quando() {
        let mut ana = usuario(1, false);
        conectar(&mut ana, ms(0));
        consultar(&mut ana, ms(10), 1);
        assert_eq!(ana.viu_esgotar(), None);
        silencio(&mut ana, ms(1010));
        ana.vai_enviar(ms(1010));
        assert_eq!(ana.viu_esgotar(), None);
        ana.recebeu(ms(1020), Mensagem::Esgotado);
        assert_eq!(ana.viu_esgotar(), Some(ms(1020)));
    }
}

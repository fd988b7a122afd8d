//! As cenas de um usuário: o que ele pede, quando, e o que fica na história.

use super::*;
use crate::conversa::escuta::{Escuta, Estilo};
use crate::multidao::roteiro::Regras;
use crate::opcoes::Faixa;

mod pedidos;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Usuario {
    /// Ouve esta mensagem pela escuta de verdade, sozinha em uma conexão nova.
    pub(super) fn recebeu(&mut self, agora: Duration, mensagem: Mensagem) {
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
pub(super) fn usuario(ciclos: u32, reconectar: bool) -> Usuario {
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
                ..Operacao::default()
            },
            Operacao {
                conexao: 1,
                compra: true,
                enviada: ms(1010),
                resposta: Some((ms(1020), Desfecho::Comprou(9))),
                ..Operacao::default()
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
                Passo::OuvirAteAHora(_) | Passo::Receber => unreachable!("o laço é fechado"),
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
    for antes in [&sem_saber as &dyn Fn(&mut Usuario), &ja_ouviu, &outras_palavras, &chegou_depois]
    {
        let mut ana = usuario(1, false);
        ate_a_ultima_escuta(&mut ana, Mensagem::Esgotado);
        antes(&mut ana);
        if ana.historia.conexoes[0].avisos.len() + ana.historia.conexoes[0].outros_avisos.len() > 0
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

/// Um usuário de decisões fixas, entre três servidores.
fn usuario_entre_tres(numero: usize, ciclos: u32) -> Usuario {
    let mut um = usuario(ciclos, false);
    um.historia.usuario = numero;
    um.entre(3)
}

#[test]
fn cada_um_comeca_no_servidor_que_lhe_toca_pelo_numero() {
    let comecos = [1, 2, 3, 4, 5].map(|numero| usuario_entre_tres(numero, 1).servidor());
    assert_eq!(comecos, [0, 1, 2, 0, 1]);
    assert_eq!(usuario(1, false).entre(1).servidor(), 0);
}

#[test]
fn quem_cai_volta_ao_servidor_seguinte_e_a_queda_se_conta() {
    let mut ana = usuario_entre_tres(3, 2);
    conectar(&mut ana, ms(0));
    consultar(&mut ana, ms(0), 5);
    ana.caiu(ms(100), Falha::Fechada);
    assert_eq!((ana.servidor(), ana.avancar(ms(100))), (0, Passo::Ausentar(ms(1100))));
    conectar(&mut ana, ms(1100));
    consultar(&mut ana, ms(1100), 5);
    let Historia { conexoes, operacoes, falhas, .. } = ana.historia(ms(2000));
    let [terceiro, primeiro] = [2, 0].map(|indice| Qual::de(indice, 3));
    assert_eq!(
        [&conexoes[0], &conexoes[1]].map(|p| (p.servidor, p.caiu)),
        [(terceiro, true), (primeiro, false)]
    );
    assert_eq!([&operacoes[0], &operacoes[1]].map(|o| o.servidor), [terceiro, primeiro]);
    assert_eq!(falhas, [(ms(100), Falha::Fechada)]);
}

#[test]
fn quem_nao_conecta_tenta_cada_servidor_uma_vez_e_so_entao_desiste() {
    let recusada = || Falha::SemConexao("recusada".into());
    let mut ana = usuario_entre_tres(2, 5);
    for (servidor, agora) in [(1, ms(0)), (2, ms(1)), (0, ms(2))] {
        assert_eq!((ana.avancar(agora), ana.servidor()), (Passo::Conectar, servidor));
        ana.caiu(agora, recusada());
    }
    assert_eq!(ana.avancar(ms(3)), Passo::Terminar);
    // Quem conectou começa a conta de novo, e não perde o ciclo por ter tentado.
    let mut ana = usuario_entre_tres(2, 1);
    for agora in [ms(0), ms(1)] {
        assert_eq!(ana.avancar(agora), Passo::Conectar);
        ana.caiu(agora, recusada());
    }
    conectar(&mut ana, ms(2));
    consultar(&mut ana, ms(2), 5);
    assert_eq!(ana.historia.conexoes[0].servidor, Qual::de(0, 3));
}

#[test]
fn quem_ouve_que_o_estoque_esta_fora_de_alcance_entendeu_e_segue() {
    let mut ana = usuario(1, false);
    conectar(&mut ana, ms(0));
    ana.vai_enviar(ms(0));
    ana.recebeu(ms(10), Mensagem::ForaDeAlcance);
    assert!(ana.entendeu(), "o fim de linha serve");
    assert_eq!(silencio(&mut ana, ms(1010)), Passo::Enviar(Comando::Comprar));
    ana.vai_enviar(ms(1010));
    ana.recebeu(ms(1020), Mensagem::ForaDeAlcance);
    assert_eq!((ana.viu_esgotar(), ana.avancar(ms(1020))), (None, Passo::Ouvir(ms(6020))));
    let historia = ana.historia(ms(6020));
    assert_eq!(historia.operacoes[1].resposta, Some((ms(1020), Desfecho::ForaDeAlcance)));
    assert!(!historia.operacoes[1].em_duvida() && historia.falhas.is_empty());
}

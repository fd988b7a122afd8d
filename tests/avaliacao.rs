//! O avaliador, de ponta a ponta: servidores de alunos, cada um certo ou errado de um jeito, e a nota
//! que merecem; e o que o avaliador faz quando nem há o que avaliar.
//!
//! Os servidores estão em `alunos/`, em Python. Sem python3, os testes que dependem dele não têm o que
//! dizer: avisam e passam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testes::{
    Cliente, Processo, Servidor, Signal, Termino, abre, ate, binario, comando, ninguem_atende,
    palavras_em_ingles, porta_livre, python, script,
};

/// Uma avaliação inteira abre o servidor muitas vezes, e um que bloqueia gasta todos os prazos dela.
const PRAZO_DA_AVALIACAO: Duration = Duration::from_secs(100);

/// Uma rodada, e mais compradores que unidades: basta para o que está certo ou errado sempre.
const BREVE: &str = "--rodadas 1 --compradores 12";

/// Para o que está errado quase sempre.
const FOLGADA: &str = "--rodadas 1 --compradores 30";

/// Põe o avaliador para trabalhar.
fn iniciar(opcoes: &[&str]) -> Processo {
    Processo::iniciar(comando("cliente", [&["avaliar"], opcoes].concat()))
}

/// O avaliador até o fim.
fn executar(opcoes: &[&str]) -> Termino {
    iniciar(opcoes).termino_em(PRAZO_DA_AVALIACAO)
}

/// O que uma avaliação concluiu.
#[derive(Debug)]
struct Laudo {
    json: Value,
    fim: Termino,
}

/// Avalia até o fim, e lê o laudo. As `outras` opções se separam por espaços.
fn avaliar(alvo: &[&str], outras: &str) -> Laudo {
    let pasta = tempfile::tempdir().unwrap();
    let json = pasta.path().join("laudo.json");
    let mut opcoes = alvo.to_vec();
    opcoes.extend(outras.split_whitespace());
    opcoes.extend(["--json", json.to_str().unwrap()]);
    let fim = executar(&opcoes);
    assert_eq!((fim.codigo, fim.erro.as_str()), (Some(0), ""), "{fim:?}");
    let json = std::fs::read_to_string(json).unwrap();
    Laudo { json: serde_json::from_str(&json).unwrap(), fim }
}

/// Avalia o servidor que este comando abre nesta porta, e confere que ele não sobrevive à avaliação.
fn avaliar_comando(comando: &str, porta: u16, outras: &str) -> Laudo {
    let laudo = avaliar(&["--iniciar", comando, "--porta", &porta.to_string()], outras);
    ninguem_atende(porta);
    laudo
}

/// Avalia o servidor de um aluno; `None` sem Python.
fn aluno(nome: &str, outras: &str) -> Option<Laudo> {
    let porta = porta_livre();
    Some(avaliar_comando(&abre(nome, porta)?, porta, outras))
}

impl Laudo {
    fn nota(&self) -> f64 {
        self.json["nota"].as_f64().unwrap()
    }

    /// Os pontos de cada item: Multithreading, Exclusão Mútua, Protocolo, Robustez.
    fn pontos(&self) -> [f64; 4] {
        let itens = self.json["itens"].as_array().unwrap();
        let pontos: Vec<f64> = itens.iter().map(|item| item["pontos"].as_f64().unwrap()).collect();
        pontos.try_into().unwrap()
    }

    /// Os estados dos extras: o log e o broadcast.
    fn extras(&self) -> [&str; 2] {
        let extra = |n: usize| self.json["extras"][n]["estado"].as_str().unwrap();
        [extra(0), extra(1)]
    }

    /// O que se viu em cada conferência e em cada extra, um por linha.
    fn viu(&self) -> String {
        let itens = self.json["itens"].as_array().unwrap();
        let conferencias = itens.iter().flat_map(|item| item["conferencias"].as_array().unwrap());
        let mut texto = String::new();
        for visto in conferencias.chain(self.json["extras"].as_array().unwrap()) {
            writeln!(texto, "{}", visto["viu"].as_str().unwrap()).unwrap();
        }
        texto
    }

    /// Estes pontos e estes extras; e as frases, se alguém quiser saber por quê.
    #[track_caller]
    fn confere(&self, pontos: [f64; 4], extras: [&str; 2], frases: &[&str]) {
        let iguais = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let dados = self.pontos();
        assert!(
            dados.iter().zip(pontos).all(|(a, b)| iguais(*a, b)),
            "{dados:?}\n{}",
            self.fim.saida
        );
        assert!(iguais(self.nota(), pontos.iter().sum()), "{}", self.nota());
        assert_eq!(self.extras(), extras, "{}", self.fim.saida);
        let viu = self.viu();
        for frase in frases {
            assert!(viu.contains(frase), "'{frase}' não está em:\n{viu}");
        }
    }

    /// Quantas rodadas houve.
    fn rodadas(&self) -> usize {
        self.json["rodadas"].as_array().unwrap().len()
    }
}

/// Todos os pontos.
const TUDO: [f64; 4] = [3.0, 4.0, 2.0, 1.0];

const SEM_LOG: [&str; 2] = ["nao-cumprido", "cumprido"];
const SEM_EXTRAS: [&str; 2] = ["nao-cumprido", "nao-cumprido"];

// Os nossos.

#[test]
fn o_nosso_servidor_tem_dez_e_os_dois_extras() {
    let porta = porta_livre();
    let comando = format!("exec '{}' --porta {porta}", binario("servidor").display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 3");
    laudo.confere(TUDO, ["cumprido", "cumprido"], &["30 vendas em 3 rodadas", "50 atendidos"]);
    assert_eq!(laudo.nota(), 10.0);
    assert_eq!(laudo.rodadas(), 3);
    assert!(
        laudo.fim.saida.ends_with("Nota: 10,0 de 10,0, sem os extras\n"),
        "{}",
        laudo.fim.saida
    );
}

#[test]
fn o_classico_com_a_trava_tem_dez_e_avisa_a_todos() {
    let porta = porta_livre();
    let programa = binario("examples/thread_por_conexao");
    let comando = format!("exec '{}' --porta {porta}", programa.display());
    let laudo = avaliar_comando(&comando, porta, BREVE);
    assert_eq!((laudo.nota(), laudo.extras()[1]), (10.0, "cumprido"), "{}", laudo.fim.saida);
}

#[test]
fn o_classico_sem_a_trava_perde_toda_a_exclusao_mutua() {
    let porta = porta_livre();
    let programa = binario("examples/thread_por_conexao");
    let comando = format!("exec '{}' --porta {porta} --sem-trava --pausa 5ms", programa.display());
    let laudo = avaliar_comando(&comando, porta, FOLGADA);
    assert_eq!(laudo.pontos(), [3.0, 0.0, 2.0, 1.0], "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("vendeu a mais"), "{}", laudo.viu());
}

#[test]
fn o_laco_que_divide_a_venda_em_dois_turnos_perde_toda_a_exclusao_mutua() {
    let porta = porta_livre();
    let programa = binario("examples/laco_em_dois_turnos");
    let comando = format!("exec '{}' --porta {porta}", programa.display());
    // Um turno em que só coube um comprador pode acontecer; em cinco rodadas seguidas, não.
    let laudo = avaliar_comando(&comando, porta, "--rodadas 5 --compradores 30");
    assert_eq!(laudo.pontos()[1], 0.0, "{}", laudo.fim.saida);
    assert!(
        laudo.fim.saida.contains("A primeira contradição da pior rodada"),
        "{}",
        laudo.fim.saida
    );
}

// Os alunos que acertam, cada um a seu modo.

#[test]
fn o_aluno_certo_tem_dez_e_os_dois_extras() {
    let Some(laudo) = aluno("correto.py", BREVE) else { return };
    laudo.confere(TUDO, ["cumprido", "cumprido"], &["com hora, IP e porta", "chegou a 12 de 12"]);
}

#[test]
fn o_minimo_sem_fim_de_linha_tem_dez_sem_os_extras() {
    let Some(laudo) = aluno("basico.py", BREVE) else { return };
    let frases =
        ["não chegou a ninguém", "1 linha com o IP e a porta do cliente, para 13 comandos"];
    laudo.confere(TUDO, SEM_EXTRAS, &frases);
}

#[test]
fn cada_recv_um_comando_sem_tirar_o_fim_de_linha_tem_dez() {
    let Some(laudo) = aluno("recv_exato.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["'Estoque atual: 10', letra por letra"]);
}

#[test]
fn quem_le_por_linhas_tem_dez() {
    let Some(laudo) = aluno("por_linhas.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["chegou a 12 de 12"]);
}

#[test]
fn quem_responde_e_avisa_com_a_trava_na_mao_ainda_esta_certo() {
    let Some(laudo) = aluno("broadcast_preso.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &[]);
}

#[test]
fn o_aviso_em_outras_palavras_vale() {
    let Some(laudo) = aluno("aviso_com_outras_palavras.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["em outras palavras: 'AVISO: O estoque esgotou'"]);
}

#[test]
fn o_aviso_so_ao_comprador_nao_e_um_broadcast() {
    let Some(laudo) = aluno("aviso_so_ao_comprador.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &["só chegou a quem comprou a última unidade"]);
}

#[test]
fn o_aviso_repetido_custa_so_o_extra() {
    let Some(python) = python() else { return };
    let repetido = r"esgotar!\nAVISO: O estoque acabou de esgotar!\n";
    let Some((_pasta, caminho)) = variante("por_linhas.py", r"esgotar!\n", repetido) else {
        return;
    };
    let porta = porta_livre();
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, BREVE);
    laudo.confere(TUDO, ["nao-cumprido", "em-parte"], &["mais de uma vez"]);
}

#[test]
fn sem_reuseaddr_tambem_se_avalia() {
    // O prazo é o do teste: se cada abertura esperasse a porta sair do TIME_WAIT, não caberia nele.
    let Some(laudo) = aluno("sem_reuse.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &[]);
}

#[test]
fn quem_manda_o_texto_e_o_numero_em_dois_envios_tem_dez() {
    let Some(laudo) = aluno("em_dois_envios.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &["'Compra realizada. Estoque restante: 9', letra por letra"]);
}

#[test]
fn o_aviso_antes_da_hora_custa_so_o_extra() {
    let Some(python) = python() else { return };
    // Com a trava na mão: senão outra thread podia vender o resto antes de o AVISO sair desta.
    let cedo = "estoque -= 1
                if estoque == 3:
                    avisar_todos()
                    globals()['avisar_todos'] = lambda: None";
    let Some((_pasta, caminho)) = variante("por_linhas.py", "estoque -= 1", cedo) else { return };
    let porta = porta_livre();
    // Dois compram muitas vezes cada um: há compras que começam depois do AVISO.
    let dois = "--rodadas 1 --compradores 2";
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, dois);
    laudo.confere(TUDO, ["nao-cumprido", "em-parte"], &["AVISO antes da hora"]);
}

// Os que erram.

#[test]
fn avisar_quem_ja_foi_com_a_trava_na_mao_custa_a_robustez() {
    let Some(laudo) = aluno("aviso_a_quem_ja_foi.py", BREVE) else { return };
    laudo.confere([3.0, 4.0, 2.0, 0.0], SEM_LOG, &["deixou de ser atendido"]);
}

#[test]
fn quem_nunca_esgota_nao_prende_o_avaliador() {
    let Some(laudo) = aluno("sempre_vende.py", BREVE) else { return };
    assert_eq!(laudo.pontos()[1], 0.0, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("vendeu a mais"), "{}", laudo.viu());
}

#[test]
fn as_palavras_em_minusculas_valem_metade() {
    let Some(laudo) = aluno("minusculas.py", BREVE) else { return };
    laudo.confere(
        [3.0, 4.0, 1.1, 1.0],
        SEM_LOG,
        &["o sentido é o de 'Estoque atual: 10', mas veio 'estoque atual: 10'"],
    );
}

#[test]
fn quem_diz_tudo_com_as_suas_palavras_perde_as_palavras_e_a_exclusao_se_julga() {
    let Some(laudo) = aluno("texto_errado.py", BREVE) else { return };
    let frases = [
        "esperava 'Estoque atual: 10', e veio 'Temos 10 em estoque'",
        "10 vendas em 1 rodada, nenhuma contradição",
    ];
    laudo.confere([3.0, 4.0, 0.2, 1.0], SEM_EXTRAS, &frases);
}

#[test]
fn a_compra_em_outras_palavras_tem_por_razao_o_que_veio_e_a_exclusao_se_julga() {
    let Some(laudo) = quase_certo("outras_palavras", BREVE) else { return };
    let frases = [
        "esperava 'Compra realizada. Estoque restante: 9', e veio 'Comprado! Restam 9'",
        "esperava 'ERRO: Produto esgotado', e veio 'Produto indisponivel'",
        "10 vendas em 1 rodada, nenhuma contradição",
    ];
    laudo.confere([3.0, 4.0, 0.8, 1.0], SEM_LOG, &frases);
}

#[test]
fn letra_por_letra_e_a_resposta_inteira() {
    let Some(laudo) = quase_certo("eco", BREVE) else { return };
    let frases = ["veio 'CONSULTAR: Estoque atual: 10'", "veio 'COMPRAR: ERRO: Produto esgotado'"];
    laudo.confere([3.0, 4.0, 1.1, 1.0], SEM_LOG, &frases);
    assert!(!laudo.viu().contains("em outras palavras"), "o AVISO é exato: {}", laudo.viu());
}

#[test]
fn a_hora_antes_do_aviso_nao_e_o_numero_da_venda() {
    let Some(laudo) = quase_certo("aviso_com_hora", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["em outras palavras: '[14:05:09] AVISO: "]);
}

#[test]
fn abrir_com_cinco_custa_so_o_estoque_inicial() {
    let Some(laudo) = aluno("estoque_cinco.py", BREVE) else { return };
    laudo.confere([3.0, 4.0, 1.8, 1.0], SEM_LOG, &["leu 5", "5 vendas em 1 rodada, nenhuma"]);
}

#[test]
fn a_opcao_estoque_diz_com_quanto_abrir() {
    let servidor = Servidor::abrir(&["--estoque", "5"]);
    let endereco = servidor.endereco().to_string();
    let laudo = avaliar(&["--servidor", &endereco], "--compradores 12 --estoque 5");
    laudo.confere(TUDO, ["nao-avaliado", "cumprido"], &["leu 5"]);
}

#[test]
fn quem_atende_um_por_vez_perde_as_threads_e_nao_prova_a_exclusao() {
    let Some(laudo) = aluno("iterativo.py", "--rodadas 2 --compradores 12") else { return };
    let frases = [
        "nenhuma resposta em 3,00 s: um cliente bloqueia os outros",
        "1 atendido na pior rodada",
        "nunca houve dois clientes atendidos ao mesmo tempo",
    ];
    laudo.confere([0.0, 0.0, 2.0, 1.0], SEM_EXTRAS, &frases);
    assert_eq!(laudo.rodadas(), 1, "as outras dariam no mesmo");
}

#[test]
fn a_pausa_sem_trava_vende_a_mais_e_perde_toda_a_exclusao_mutua() {
    let Some(laudo) = aluno("pausa.py", FOLGADA) else { return };
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_EXTRAS, &["vendeu a mais na única rodada"]);
}

#[test]
fn sem_a_trava_e_com_sorte_nada_aparece_e_sem_sorte_perde_toda_a_exclusao() {
    // Este depende da sorte: de fora, só se vê a falta da trava quando ela aparece. O que ele nunca tem
    // é um pedaço dos pontos por vender a mais.
    let Some(laudo) = aluno("sem_trava.py", FOLGADA) else { return };
    let [threads, exclusao, protocolo, robustez] = laudo.pontos();
    assert_eq!((threads, protocolo, robustez), (3.0, 2.0, 1.0), "{}", laudo.fim.saida);
    let viu = laudo.viu();
    let defeitos = ["vendeu a mais", "mesmo número a duas compras", "estoque negativo"];
    assert_eq!(exclusao == 0.0, defeitos.iter().any(|defeito| viu.contains(defeito)), "{viu}");
    assert_eq!(exclusao == 4.0, viu.contains("nenhuma contradição"), "{viu}");
    assert_eq!(laudo.extras(), SEM_EXTRAS);
}

#[test]
fn vender_a_mais_uma_vez_em_vinte_rodadas_custa_toda_a_exclusao_mutua() {
    let porta = porta_livre();
    let Some(comando) = abre("as_vezes.py", porta) else { return };
    let pasta = tempfile::tempdir().unwrap();
    // A décima segunda vez em que abre é uma das vinte disputas, qualquer que seja a conta das provas.
    let comando = format!("{comando} '{}' 12", pasta.path().join("vezes").display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 20 --compradores 2");
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_LOG, &["em 1 de 20 rodadas (na pior, 11 vendas)"]);
    let erradas = laudo.json["rodadas"].as_array().unwrap().iter();
    assert_eq!(erradas.filter(|rodada| rodada["contradicoes"] != 0).count(), 1);
    assert!(laudo.fim.saida.contains("a mesma unidade vendida duas vezes"), "{}", laudo.fim.saida);
}

#[test]
fn recusar_com_estoque_contradiz_sem_vender_a_mais() {
    let Some(laudo) = aluno("recusa_cedo.py", FOLGADA) else { return };
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_LOG, &["na única rodada, sem vender a mais: "]);
}

#[test]
fn contar_errado_custa_a_exclusao_e_a_compra() {
    let Some(laudo) = aluno("conta_errado.py", BREVE) else { return };
    let frases = ["deixou o estoque negativo", "os números não batem"];
    laudo.confere([3.0, 0.0, 1.4, 1.0], SEM_LOG, &frases);
}

#[test]
fn cair_com_um_reset_custa_toda_a_robustez() {
    let Some(laudo) = aluno("morre_no_reset.py", BREVE) else { return };
    let frases = ["o servidor terminou", "não sobrevive a outra prova"];
    laudo.confere([3.0, 4.0, 2.0, 0.0], SEM_LOG, &frases);
}

#[test]
fn cair_com_bytes_que_nao_sao_texto_custa_toda_a_robustez() {
    let Some(laudo) = aluno("morre_no_lixo.py", BREVE) else { return };
    laudo.confere([3.0, 4.0, 2.0, 0.0], SEM_LOG, &["o servidor terminou"]);
}

#[test]
fn deixar_compras_sem_resposta_custa_a_parte_delas() {
    let Some(python) = python() else { return };
    // Na recusa, em vez de responder, volta a ouvir.
    let calar = "pass";
    let Some((_pasta, caminho)) =
        variante("em_dois_envios.py", "responder(conexao, \"ERRO: Produto esgotado\")", calar)
    else {
        return;
    };
    let porta = porta_livre();
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, BREVE);
    let exclusao = laudo.pontos()[1];
    assert!(exclusao > 0.0 && exclusao < 4.0, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("compras ficaram sem resposta"), "{}", laudo.viu());
}

#[test]
fn sem_terminal_de_controle_a_avaliacao_nao_morre_com_o_do_servidor() {
    let porta = porta_livre();
    let servidor = format!("exec '{}' --porta {porta}", binario("servidor").display());
    let mut setsid = Command::new("setsid");
    setsid.arg("--wait").arg(binario("cliente"));
    setsid.args(["avaliar", "--iniciar", &servidor, "--porta", &porta.to_string()]);
    setsid.args(BREVE.split(' '));
    setsid.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let fim = Processo::iniciar(setsid).termino_em(PRAZO_DA_AVALIACAO);
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
}

#[test]
fn o_aviso_que_nem_comeca_por_aviso_tambem_vale() {
    let Some(python) = python() else { return };
    let Some((_pasta, caminho)) =
        variante("por_linhas.py", "AVISO: O estoque acabou de esgotar!", "Pessoal, acabou!")
    else {
        return;
    };
    let porta = porta_livre();
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, BREVE);
    laudo.confere(TUDO, SEM_LOG, &["em outras palavras: 'Pessoal, acabou!'"]);
}

// Os que já foram mal julgados: certos menos em um jeito.

/// Avalia o `quase_certo.py` deste jeito; `None` sem Python.
fn quase_certo(jeito: &str, outras: &str) -> Option<Laudo> {
    let porta = porta_livre();
    let comando = format!("{} {jeito}", abre("quase_certo.py", porta)?);
    Some(avaliar_comando(&comando, porta, outras))
}

#[test]
fn demorar_com_a_trava_na_mao_nao_custa_nada_e_se_diz() {
    // Com trinta na fila, o último espera mais que o prazo de um pedido sozinho.
    let Some(laudo) = quase_certo("demora_com_a_trava", "--rodadas 1 --compradores 35") else {
        return;
    };
    laudo.confere(TUDO, SEM_LOG, &["nenhuma contradição", "é lento: cada compra levou 10"]);
}

#[test]
fn demorar_fora_da_trava_tambem_nao_custa_nada() {
    let Some(laudo) = quase_certo("demora_fora", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["é lento: cada compra levou 10"]);
}

#[test]
fn uma_trava_que_ninguem_solta_se_acha_depressa() {
    let Some(laudo) = quase_certo("prende_a_trava", BREVE) else { return };
    let [threads, exclusao, protocolo, _] = laudo.pontos();
    assert_eq!((threads, protocolo), (3.0, 2.0), "{}", laudo.fim.saida);
    assert!(exclusao > 0.0 && exclusao < 2.0, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("um Lock que ninguém soltou?"), "{}", laudo.viu());
}

#[test]
fn fechar_a_cada_resposta_se_diz_uma_vez_custa_uma_vez_e_a_disputa_se_faz() {
    let Some(laudo) = quase_certo("fecha", BREVE) else { return };
    let frases = ["10 vendas em 1 rodada, nenhuma contradição"];
    laudo.confere([2.0, 4.0, 2.0, 1.0], SEM_EXTRAS, &frases);
    assert_eq!(laudo.fim.saida.matches("o servidor fecha a conexão").count(), 1);
}

#[test]
fn um_por_vez_que_fecha_perde_todas_as_threads() {
    let Some(laudo) = quase_certo("um_por_vez_e_fecha", BREVE) else { return };
    let frases = ["sem pontos, porque atende um cliente por vez", "não se prova"];
    laudo.confere([0.0, 0.0, 2.0, 1.0], SEM_EXTRAS, &frases);
}

#[test]
fn fechar_so_depois_de_comprar_se_diz_e_so_o_aviso_perde() {
    for (jeito, depois_de) in
        [("fecha_na_compra", "a COMPRAR e a"), ("fecha_na_recusa", "a COMPRAR sem estoque")]
    {
        let Some(laudo) = quase_certo(jeito, BREVE) else { return };
        assert_eq!(laudo.pontos(), TUDO, "{}", laudo.fim.saida);
        let dito = format!("fecha a conexão depois de responder {depois_de}");
        assert!(laudo.fim.saida.contains(&dito), "{}", laudo.fim.saida);
    }
}

#[test]
fn quem_fecha_sem_ler_nao_tem_ponto_nenhum() {
    let Some(laudo) = quase_certo("fecha_sem_ler", BREVE) else { return };
    laudo.confere([0.0; 4], SEM_EXTRAS, &["não fala o protocolo"]);
}

#[test]
fn o_que_nao_e_um_servidor_de_vendas_nao_tem_ponto_nenhum() {
    let Some(python) = python() else { return };
    let pasta = tempfile::tempdir().unwrap();
    let porta = porta_livre();
    let comando =
        format!("cd '{}'; exec '{python}' -m http.server {porta}", pasta.path().display());
    let laudo = avaliar_comando(&comando, porta, BREVE);
    // De uma página, qual das linhas se cita depende de como ela chega.
    laudo.confere([0.0; 4], SEM_EXTRAS, &["não fala o protocolo: a CONSULTAR respondeu '"]);
    assert_eq!(laudo.json["vereditos"]["estoque"]["veredito"], "sem-veredito");
}

#[test]
fn o_mesmo_numero_a_dois_nao_se_chama_vender_a_mais() {
    let Some(laudo) = quase_certo("formata_fora", FOLGADA) else { return };
    let frase =
        "disse o mesmo número a duas compras na única rodada, sem vender a mais (10 vendas)";
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_LOG, &[frase]);
    let vereditos = &laudo.json["vereditos"];
    assert_eq!(vereditos["estoque"]["veredito"], "inconsistente");
    assert_eq!(vereditos["aviso"]["veredito"], "cumprido");
}

#[test]
fn a_compra_que_sempre_da_erro_tem_por_razao_o_que_o_servidor_disse() {
    let Some(laudo) = quase_certo("compra_da_erro", BREVE) else { return };
    let veio =
        r"esperava 'Compra realizada. Estoque restante: 9', e veio 'Erro\u{1b}[2J interno 500'";
    laudo.confere([3.0, 0.0, 0.8, 1.0], SEM_EXTRAS, &[veio]);
    assert_eq!(laudo.viu().matches(veio).count(), 2, "no Protocolo e na Exclusão: {}", laudo.viu());
}

#[test]
fn sem_o_aviso_o_estoque_continua_certo_e_o_laudo_diz_os_dois() {
    let Some(laudo) = quase_certo("nao_avisa", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &["que há um Lock, só o código mostra"]);
    assert_eq!(laudo.json["vereditos"]["estoque"]["veredito"], "consistente");
    assert_eq!(laudo.json["vereditos"]["aviso"]["veredito"], "nao-cumprido");
    for frase in
        ["Veredito do estoque: CONSISTENTE", "Veredito do AVISO, um extra que não muda a nota"]
    {
        assert!(laudo.fim.saida.contains(frase), "{}", laudo.fim.saida);
    }
}

#[test]
fn o_numero_trocado_sempre_do_mesmo_modo_se_cobra_uma_vez() {
    for jeito in ["restante_antes", "diz_as_vendidas"] {
        let Some(laudo) = quase_certo(jeito, BREVE) else { return };
        let frases = ["os números não batem", "nenhuma contradição"];
        laudo.confere([3.0, 4.0, 1.4, 1.0], SEM_LOG, &frases);
    }
}

#[test]
fn a_recusa_atrasada_nunca_e_um_aviso() {
    // Com a trava na mão e sem AVISO: as recusas dos últimos chegam muito depois das dos primeiros.
    let Some(laudo) = quase_certo("demora_e_nao_avisa", "--rodadas 1 --compradores 35") else {
        return;
    };
    laudo.confere(TUDO, SEM_EXTRAS, &["não chegou a ninguém"]);
}

#[test]
fn responder_duas_vezes_a_compra_custa_o_protocolo_uma_vez_e_nao_e_um_aviso() {
    let Some(laudo) = quase_certo("responde_duas_vezes", BREVE) else { return };
    let [threads, exclusao, protocolo, robustez] = laudo.pontos();
    assert_eq!((threads, exclusao, robustez), (3.0, 4.0, 1.0), "{}", laudo.fim.saida);
    assert!((protocolo - 1.4).abs() < 1e-9, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("mais respostas do que pedidos"), "{}", laudo.viu());
}

#[test]
fn responder_a_outro_cliente_custa_o_protocolo_todo() {
    let Some(laudo) = quase_certo("erra_o_cliente", BREVE) else { return };
    let [threads, _, protocolo, robustez] = laudo.pontos();
    assert_eq!((threads, protocolo, robustez), (3.0, 0.0, 1.0), "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("a resposta foi para o outro"), "{}", laudo.viu());
}

#[test]
fn quem_sauda_quem_chega_tem_dez() {
    let Some(laudo) = quase_certo("sauda", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &[]);
}

/// O servidor de um aluno com um trecho trocado, e a pasta em que está.
fn variante(nome: &str, trecho: &str, outro: &str) -> Option<(TempDir, String)> {
    python()?;
    let texto = std::fs::read_to_string(script(nome)).unwrap();
    assert_eq!(texto.matches(trecho).count(), 1, "{nome} mudou");
    let pasta = tempfile::tempdir().unwrap();
    let caminho = pasta.path().join(nome);
    std::fs::write(&caminho, texto.replace(trecho, outro)).unwrap();
    let caminho = caminho.to_str().unwrap().to_owned();
    Some((pasta, caminho))
}

// Um que já está no ar.

#[test]
fn o_que_ja_esta_no_ar_tem_uma_rodada_e_continua_no_ar() {
    let servidor = Servidor::abrir(&[]);
    let laudo = avaliar(&["--servidor", &servidor.endereco().to_string()], "--compradores 20");
    laudo.confere(TUDO, ["nao-avaliado", "cumprido"], &["10 vendas em 1 rodada, nenhuma"]);
    assert_eq!(laudo.rodadas(), 1);
    assert!(
        laudo.fim.saida.contains("com --iniciar a avaliação é completa"),
        "{}",
        laudo.fim.saida
    );
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 0");
}

#[test]
fn o_que_ja_tinha_esgotado_nao_prova_a_exclusao_e_o_laudo_diz_o_que_fazer() {
    let servidor = Servidor::abrir(&["--estoque", "0"]);
    let laudo = avaliar(&["--servidor", &servidor.endereco().to_string()], "--compradores 20");
    let frases = ["nada havia a vender; feche o servidor, abra-o de novo", "leu 0"];
    laudo.confere([3.0, 0.0, 1.2, 1.0], ["nao-avaliado", "nao-avaliado"], &frases);
}

#[test]
fn ninguem_no_ar_e_dito_em_uma_linha() {
    let porta = porta_livre();
    let erro = nao_avalia(&["--servidor", &format!("127.0.0.1:{porta}")]);
    assert!(erro.contains(&format!("ninguém atende em 127.0.0.1:{porta}")), "{erro}");
}

#[test]
fn poucos_compradores_para_o_estoque_e_dito() {
    for (compradores, dito) in [("10", true), ("11", false)] {
        let servidor = Servidor::abrir(&[]);
        let endereco = servidor.endereco().to_string();
        let laudo = avaliar(&["--servidor", &endereco], &format!("--compradores {compradores}"));
        let saida = laudo.fim.saida;
        assert_eq!(saida.contains("dê mais --compradores"), dito, "{saida}");
    }
}

// O que nem se avalia.

/// Uma avaliação que não pode haver: sai com 1, sem nota, e uma linha só, que volta.
fn nao_avalia(opcoes: &[&str]) -> String {
    let Termino { codigo, saida, erro } = executar(opcoes);
    assert_eq!((codigo, saida.as_str()), (Some(1), ""), "{opcoes:?}: {erro}");
    assert_eq!(erro.matches('\n').count(), 1, "{opcoes:?}: {erro}");
    assert!(erro.starts_with("cliente: ") && erro.ends_with('\n'), "{opcoes:?}: {erro}");
    erro
}

/// [`nao_avalia`], de um comando, em uma porta livre.
fn nao_abre(comando: &str, outras: &[&str]) -> String {
    let porta = porta_livre().to_string();
    nao_avalia(&[&["--iniciar", comando, "--porta", &porta], outras].concat())
}

/// O que é nosso em uma linha que mostra, entre parênteses, a última do console.
fn sem_o_console(erro: &str) -> String {
    let (antes, resto) = erro.split_once(" (").unwrap();
    format!("{antes}{}", resto.rsplit_once(')').unwrap().1)
}

#[test]
fn um_comando_que_nao_existe_e_dito_com_o_que_o_shell_disse() {
    let erro = nao_abre("nao-existe-tal-comando", &[]);
    assert!(erro.contains("nao-existe-tal-comando"), "{erro}");
    assert_eq!(sem_o_console(&erro), "cliente: o servidor terminou antes de abrir\n");
}

#[test]
fn quem_termina_logo_mostra_a_ultima_linha_do_console() {
    let erro = nao_abre("echo primeira; echo a última linha; echo; exit 7", &[]);
    assert_eq!(erro, "cliente: o servidor terminou antes de abrir (a última linha)\n");
    // O console pode acabar depois do servidor, e nem por isso se espera por quem ficou com ele.
    for ultima in ["(sleep 0.05; echo a última linha) &", "sleep 600 & echo a última linha"] {
        let erro = nao_abre(ultima, &[]);
        assert_eq!(erro, "cliente: o servidor terminou antes de abrir (a última linha)\n");
    }
    let erro = nao_abre("exit 0", &[]);
    assert_eq!(erro, "cliente: o servidor terminou antes de abrir\n");
}

#[test]
fn o_que_o_console_diz_nao_manda_no_nosso_terminal() {
    let erro = nao_abre(r"printf 'um \033[2J apagão\n'", &[]);
    assert!(erro.contains(r"(um \u{1b}[2J apagão)"), "{erro}");
}

#[test]
fn quem_nunca_abre_a_porta_e_dito_com_o_que_conferir() {
    let erro = nao_abre("echo pensando; exec sleep 600", &["--espera", "1s"]);
    assert!(erro.contains("o servidor não abriu 127.0.0.1:"), "{erro}");
    assert!(erro.contains("em 1s (pensando); confira --porta e --espera"), "{erro}");
    assert_eq!(palavras_em_ingles(&erro), [""; 0], "{erro}");
}

#[test]
fn com_a_porta_errada_nada_sobra_no_ar() {
    let certa = porta_livre();
    let comando = format!("exec '{}' --porta {certa}", binario("servidor").display());
    let erro = nao_abre(&comando, &["--espera", "1s"]);
    assert!(erro.contains("confira --porta e --espera"), "{erro}");
    assert!(erro.contains(&format!("{certa}")), "o console diz onde ele abriu: {erro}");
    ninguem_atende(certa);
}

#[test]
fn uma_porta_ja_ocupada_e_dita_e_o_dono_dela_fica_em_paz() {
    let dono = Servidor::abrir(&[]);
    let porta = dono.endereco().port().to_string();
    let erro = nao_avalia(&["--iniciar", "exec sleep 600", "--porta", &porta]);
    assert!(erro.contains(&format!("já há um servidor na porta {porta}")), "{erro}");
    assert!(erro.contains("--servidor"), "{erro}");
    assert_eq!(palavras_em_ingles(&erro), [""; 0], "{erro}");
    assert_eq!(dono.cliente().pede("CONSULTAR"), "Estoque atual: 10");
}

#[test]
fn um_console_que_nao_para_nao_prende_ninguem() {
    let porta = porta_livre();
    let servidor = binario("servidor");
    let comando = format!("yes & exec '{}' --porta {porta}", servidor.display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 1 --compradores 20");
    // O log se perde na enxurrada, ou não: só se guarda o começo do console.
    assert_eq!((laudo.nota(), laudo.extras()[1]), (10.0, "cumprido"), "{}", laudo.fim.saida);
}

#[test]
fn um_filho_que_fica_com_a_porta_nao_sobrevive_a_avaliacao() {
    let porta = porta_livre();
    let comando = format!("'{}' --porta {porta} & wait", binario("servidor").display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 2 --compradores 20");
    assert_eq!(laudo.nota(), 10.0, "{}", laudo.fim.saida);
}

#[test]
fn um_filho_que_o_shell_abandona_tambem_nao() {
    let porta = porta_livre();
    // O shell termina na hora: para quem avalia, o servidor terminou.
    let comando = format!("'{}' --porta {porta} &", binario("servidor").display());
    let fim = executar(&["--iniciar", &comando, "--porta", &porta.to_string(), "--rodadas", "1"]);
    assert!(fim.codigo == Some(0) || fim.erro.contains("terminou antes de abrir"), "{fim:?}");
    ninguem_atende(porta);
}

// O Ctrl-C.

/// Espera o servidor abrir, manda um SIGINT ao avaliador e confere que nada sobrou.
fn interrompida(comando: &str, porta: u16) {
    let mut avaliador = iniciar(&["--iniciar", comando, "--porta", &porta.to_string()]);
    ate("o servidor abrir", || TcpStream::connect(("127.0.0.1", porta)).ok());
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
    ninguem_atende(porta);
}

#[track_caller]
fn sem_nota(fim: &Termino) {
    assert_eq!((fim.codigo, fim.saida.as_str()), (Some(130), ""), "{fim:?}");
    // Antes dela, quando parar demora, pode haver a que diz como não esperar.
    assert!(fim.erro.ends_with("cliente: avaliação interrompida, sem nota\n"), "{fim:?}");
}

#[test]
fn o_ctrl_c_no_meio_para_o_servidor_e_nao_da_nota() {
    let porta = porta_livre();
    interrompida(&format!("exec '{}' --porta {porta}", binario("servidor").display()), porta);
}

#[test]
fn o_ctrl_c_para_ate_quem_ignora_o_sigterm() {
    let Some(python) = python() else { return };
    let porta = porta_livre();
    let surdo = format!(
        "import signal, runpy; signal.signal(signal.SIGTERM, signal.SIG_IGN); runpy.run_path({:?})",
        script("correto.py")
    );
    interrompida(&format!("exec '{python}' -c '{surdo}' {porta}"), porta);
}

#[test]
fn o_ctrl_c_durante_uma_disputa_para_o_servidor_e_nao_da_nota() {
    let porta = porta_livre();
    let pasta = tempfile::tempdir().unwrap();
    let vezes = pasta.path().join("vezes");
    let comando = format!(
        "echo >> '{}'; exec '{}' --porta {porta}",
        vezes.display(),
        binario("servidor").display()
    );
    let opcoes = ["--iniciar", &comando, "--porta", &porta.to_string(), "--rodadas", "1000"];
    let mut avaliador = iniciar(&opcoes);
    // Da oitava vez em diante, são as mil rodadas.
    ate("a oitava vez", || {
        let vezes = std::fs::read(&vezes).unwrap_or_default().len();
        (vezes >= 8).then_some(())
    });
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
    ninguem_atende(porta);
}

#[test]
fn o_ctrl_c_antes_de_o_servidor_abrir_tambem_e_uma_interrupcao() {
    let pasta = tempfile::tempdir().unwrap();
    let comecou = pasta.path().join("começou");
    let comando = format!("echo > '{}'; exec sleep 600", comecou.display());
    let porta = porta_livre().to_string();
    let mut avaliador = iniciar(&["--iniciar", &comando, "--porta", &porta, "--espera", "1h"]);
    ate("o comando começar", || comecou.exists().then_some(()));
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
}

#[test]
fn o_ctrl_c_diante_de_um_que_esta_no_ar_o_deixa_no_ar() {
    // Um servidor que não responde: a avaliação espera por ele, e há tempo para interrompê-la.
    let porta = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco: SocketAddr = porta.local_addr().unwrap();
    let mut avaliador = iniciar(&["--servidor", &endereco.to_string()]);
    let (_conexao, _) = porta.accept().unwrap();
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
    Cliente::conectar(endereco);
}

#[test]
fn a_pagina_e_escrita_e_um_arquivo_impossivel_e_dito() {
    let servidor = Servidor::abrir(&[]);
    let endereco = servidor.endereco().to_string();
    let pasta = tempfile::tempdir().unwrap();
    let pagina = pasta.path().join("laudo.html");
    let caminho = pagina.to_str().unwrap();
    avaliar(&["--servidor", &endereco, "--relatorio", caminho], "--compradores 20");
    let html = std::fs::read_to_string(&pagina).unwrap();
    for pedaco in ["<html lang=\"pt-BR\">", "10,0", "Multithreading", "Exclusão Mútua", "Robustez"]
    {
        assert!(html.contains(pedaco), "não há '{pedaco}' em:\n{html}");
    }
    let impossivel = pasta.path().join("nao/existe.json");
    let erro = nao_avalia(&["--servidor", &endereco, "--json", impossivel.to_str().unwrap()]);
    assert!(erro.contains("--json") && erro.contains("existe.json"), "{erro}");
}

//! As notas: as mesmas que cada entrega teria sozinha, com a linha, a página e a razão de cada uma.

use super::*;

#[test]
fn em_paralelo_ou_uma_a_uma_as_notas_sao_as_mesmas() {
    if !isola() {
        return;
    }
    // O sem trava é o que faz uma pausa: a falta aparece sempre, e não só com sorte.
    let alunos = ["correto", "iterativo", "pausa", "minusculas", "morre_no_reset", "sem_reuse"];
    let notas = |ao_mesmo_tempo: &str| {
        let turma = Turma::nova();
        for aluno in alunos {
            turma.aluno(aluno, &format!("{aluno}.py"));
        }
        let folgada = ["--rodadas", "2", "--compradores", "30", "--ao-mesmo-tempo", ao_mesmo_tempo];
        turma.corrigir(&[&EM_PYTHON[..], &folgada].concat());
        alunos.map(|nome| turma.nota(nome))
    };
    let (juntas, uma_a_uma) = (notas("3"), notas("1"));
    assert_eq!(juntas, uma_a_uma);
    assert_eq!((juntas[0].as_str(), juntas[2].as_str()), ("10.00", "6.00"));
}

#[test]
fn a_turma_do_moodle_tem_planilha_preenchida_e_pasta_de_comentarios() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.aluno("Ana Lima_123_assignsubmission_file", "correto.py");
    turma.entregar("Beto Sá_7_assignsubmission_file", "relatorio.pdf", "%PDF");
    let planilha = turma.pasta.path().join("notas.csv");
    fs::write(
        &planilha,
        "Identificador,\"Nome completo\",Nota,\"Nota máxima\",\"Comentários de feedback\"\n\
         \"Participante 123\",\"Ana Lima\",,\"10,00\",\n\"Participante 7\",\"Beto Sá\",,\"10,00\",\n",
    )
    .unwrap();
    let moodle = ["--moodle", planilha.to_str().unwrap()];
    turma.corrigir(&[&EM_PYTHON[..], &moodle].concat());
    let preenchida = fs::read_to_string(turma.saida().join("moodle.csv")).unwrap();
    assert!(preenchida.contains("Participante 123,Ana Lima,\"10,00\",\"10,00\","), "{preenchida}");
    assert!(preenchida.contains("Participante 7,Beto Sá,\"0,00\""), "{preenchida}");
    let dela = "moodle-comentarios/Ana Lima_123_assignsubmission_file_laudo.html";
    assert!(turma.saida().join(dela).exists());
}

#[test]
fn quem_nao_abre_tem_linha_pagina_json_e_o_motivo() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("sintaxe", "servidor.py", "import socket\ns = socket.socket()\ns.listen(\n");
    turma.entregar("pdf", "relatorio.pdf", "%PDF");
    turma.entregar("biblioteca", "servidor.py", "import nao_existe\ns.listen()\n");
    turma.corrigir(&[]);
    for (nome, nota, motivo) in [
        ("sintaxe", "0.00", "SyntaxError"),
        ("pdf", "0.00", "relatorio.pdf"),
        ("biblioteca", "", "não há um módulo nao_existe: se é uma biblioteca, instale-a"),
    ] {
        assert_eq!(turma.nota(nome), nota, "{:?}", turma.linhas());
        assert!(turma.coluna(nome, "razao").contains(motivo), "{:?}", turma.linhas());
        assert!(turma.laudo(nome)["motivo"].as_str().unwrap().contains(motivo));
        assert!(turma.pagina(nome).contains(motivo), "{}", turma.pagina(nome));
    }
}

#[test]
fn do_modulo_que_falta_se_diz_se_e_da_entrega_ou_que_nao_se_sabe() {
    if !isola() || !std::path::Path::new("/usr/bin/node").exists() {
        return;
    }
    let turma = Turma::nova();
    let servidor = "require('net').createServer(c => c.end(e.x)).listen(12346);\n";
    for (nome, modulo) in [("arquivo", "./estoque"), ("npm", "nao-existe-tal-modulo")] {
        turma.entregar(nome, "servidor.js", &format!("const e = require('{modulo}');\n{servidor}"));
    }
    turma.corrigir(&[]);
    assert_eq!((turma.nota("arquivo"), turma.nota("npm")), ("0.00".into(), "".into()));
    let razao = turma.coluna("arquivo", "razao");
    assert!(razao.contains("; falta na entrega o arquivo ./estoque"), "{razao}");
    let razao = turma.coluna("npm", "razao");
    assert!(razao.contains("não há um módulo nao-existe-tal-modulo: se é uma"), "{razao}");
    assert!(!turma.pagina("npm").contains("Não é um erro da entrega"), "{}", turma.pagina("npm"));
}

#[test]
fn quem_pergunta_antes_de_abrir_se_responde_em_iniciar_txt() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    let pergunta = "import sys\nsys.argv[1:] = [input('Porta: ')]";
    turma.ataque("sem resposta", pergunta);
    turma.ataque("com resposta", pergunta);
    turma.entregar("com resposta", "iniciar.txt", "echo 12346 | python3 servidor.py\n");
    turma.corrigir(&["--espera", "1s"]);
    let razao = turma.coluna("sem resposta", "razao");
    assert!(razao.contains("o console parou em 'Porta:'"), "{razao}");
    assert!(razao.contains("iniciar.txt") && !razao.contains("--entrada"), "{razao}");
    assert_eq!(turma.nota("com resposta"), "10.00", "{:?}", turma.linhas());
}

#[test]
fn a_porta_errada_custa_um_quarto_do_protocolo_e_nao_tudo() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.aluno("porta", "correto.py");
    turma.entregar("porta", "iniciar.txt", "python3 servidor.py 5000\n");
    turma.corrigir(&["--espera", "2s"]);
    assert_eq!(
        (turma.nota("porta"), turma.coluna("porta", "protocolo")),
        ("9.50".into(), "1.50".into())
    );
    assert!(turma.pagina("porta").contains("Escutar na porta 12346"));
}

#[test]
fn o_que_se_deixa_em_segundo_plano_e_o_que_so_tem_ipv6_tambem_se_avaliam_na_cela() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    for aluno in ["segundo_plano", "so_ipv6"] {
        turma.aluno(aluno, &format!("{aluno}.py"));
    }
    turma.corrigir_em_python();
    for aluno in ["segundo_plano", "so_ipv6"] {
        assert_eq!(turma.nota(aluno), "10.00", "{:?}", turma.linhas());
    }
}

#[test]
fn o_servidor_em_c_se_compila_na_cela_e_o_que_nao_compila_diz_a_linha() {
    if !isola() || !std::path::Path::new("/usr/bin/gcc").exists() {
        return;
    }
    let turma = Turma::nova();
    let servidor = include_str!("servidor.c");
    turma.entregar("solto", "servidor.c", servidor);
    turma.entregar("make", "src/vendas.c", servidor);
    turma.entregar("make", "src/Makefile", "vendas: vendas.c\n\tgcc -pthread -o vendas vendas.c\n");
    turma.entregar("errado", "servidor.c", "int main(void) { listen(1, 2) }\n");
    turma.corrigir(&[]);
    assert_eq!((turma.nota("solto"), turma.nota("make")), ("10.00".into(), "10.00".into()));
    for (nome, fonte) in [("solto", "servidor.c"), ("make", "src/vendas.c")] {
        let pagina = turma.pagina(nome);
        assert!(
            pagina.contains(&format!("<title>{nome}: Avaliação de {fonte}: 10,0</title>")),
            "{pagina}"
        );
    }
    let razao = turma.coluna("errado", "razao");
    assert!(razao.contains("não compila") && razao.contains("servidor.c:1"), "{razao}");
}

#[test]
fn sem_isolamento_avisa_o_que_nao_se_protege_e_avalia_uma_por_vez() {
    if python().is_none() {
        return;
    }
    let turma = Turma::nova();
    turma.aluno("certa", "correto.py");
    let porta = porta_livre().to_string();
    let sem = ["--sem-isolamento", "--porta", &porta];
    let fim = turma.corrigir(&[&EM_PYTHON[..], &sem].concat());
    assert!(fim.erro.contains("executa com os seus direitos"), "{}", fim.erro);
    assert!(fim.erro.contains("1 entrega, 1 por vez"), "{}", fim.erro);
    assert_eq!(turma.nota("certa"), "10.00", "{:?}", turma.linhas());
}

#[test]
fn uma_pasta_sem_entregas_e_um_erro_em_uma_linha() {
    let turma = Turma::nova();
    let fim = turma.iniciar(&[]).termino();
    assert_eq!(fim.codigo, Some(1));
    assert!(fim.erro.contains("não tem nenhuma entrega"), "{}", fim.erro);
}

#[test]
fn a_tabela_da_turma_se_ordena_no_navegador_e_cabe_no_telefone() {
    let Some(navegador) = navegador().filter(|_| isola()) else { return };
    let turma = Turma::nova();
    for (nome, arquivo) in [("Ana Beatriz de Souza", "relatorio.pdf"), ("Beto", "cliente.py")] {
        turma.entregar(nome, arquivo, "x");
    }
    turma.aluno("Caio", "correto.py");
    turma.corrigir_em_python();
    let indice = fs::read_to_string(turma.saida().join("index.html")).unwrap();
    assert!(!indice.contains("http:") && !indice.contains("https:"), "a página não usa a rede");
    let ensaio = turma.saida().join("ensaio.html");
    let clicar = "<script>const b = document.querySelectorAll('#turma th button')[1]; b.click(); b.click();
        const largo = document.documentElement.scrollWidth > innerWidth;
        document.title = [...document.querySelectorAll('#turma tbody a')].map(a => a.textContent).join() + ' ' + largo;
        </script></body>";
    fs::write(&ensaio, indice.replace("</body>", clicar)).unwrap();
    let saida = abrir_pagina(&navegador, &ensaio, &["--dump-dom", "--window-size=500,900"]);
    let dom = String::from_utf8_lossy(&saida.stdout).into_owned();
    assert!(dom.contains("<title>Caio,Ana Beatriz de Souza,Beto false</title>"), "{dom}");
    assert_eq!(razoes_fora_da_tela(&turma, &navegador), "390 false,800 false,1200 false");
}

/// Em cada largura, alguma razão fica fora da tela, sem rolar para o lado? O navegador não abre uma janela tão estreita, mas
/// uma moldura dentro da página sim.
fn razoes_fora_da_tela(turma: &Turma, navegador: &Path) -> String {
    let molduras = turma.saida().join("molduras.html");
    let medir = "<script>onload = () => document.title = Array.from(frames).map(f => {
          const razoes = [...f.document.querySelectorAll('#turma .razao:not(:empty)')].map(r => r.getBoundingClientRect());
          return [f.innerWidth, razoes.length !== 2 || razoes.some(r => r.right > f.innerWidth || r.width < 200)].join(' ');
        }).join()</script>";
    let larguras = [390, 800, 1200];
    let abertas =
        larguras.map(|largura| format!("<iframe width={largura} src=index.html></iframe>"));
    fs::write(&molduras, format!("<body>{}{medir}</body>", abertas.concat())).unwrap();
    let saida = abrir_pagina(navegador, &molduras, &["--dump-dom", "--window-size=1300,900"]);
    let dom = String::from_utf8_lossy(&saida.stdout).into_owned();
    let titulo = dom.split_once("<title>").and_then(|(_, resto)| resto.split_once("</title>"));
    titulo.map(|(titulo, _)| titulo.to_owned()).unwrap_or(dom)
}
